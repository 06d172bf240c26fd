/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that writes the topic: makes pass-throughs, ends them, takes them back. */
#include "common/json.h"
#include "common/log.h"
#include "proxyd/pins_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MS 1000
/* So often the holder of the lock, connected, waits for what Redis has of the topic, which then has
 * nothing of it. */
#define WAITS_MAX 10

/* ---- writing ---- */

/* NULL without memory: half of it might say less than what ends one. */
static cJSON *pin_record(const struct pin *pin)
{
	cJSON *o = cJSON_CreateObject();
	char id[PIN_ID_LEN];

	pin_id(pin->device, pin->name, id);
	return json_whole(
		o, cJSON_AddStringToObject(o, "id", id) &&
			   cJSON_AddStringToObject(o, "device", pin->device) &&
			   cJSON_AddStringToObject(o, "name", pin->name) &&
			   cJSON_AddNumberToObject(o, "until", (double)pin->until) &&
			   cJSON_AddNumberToObject(o, "count", (double)pin->count) &&
			   (!pin->is_revoked || cJSON_AddBoolToObject(o, "revoked", true)));
}

/* All of them: what takes many away at once is believed only so. */
static int publish_all(struct proxy *p)
{
	size_t n = 0, max = p->pins.by_id.count;
	const char **ids = calloc(max + 1, sizeof(*ids));
	cJSON **records = calloc(max + 1, sizeof(*records));
	int err = ids && records ? 0 : -ENOMEM;

	hmap_foreach (&p->pins.by_id, it) {
		if (err)
			break;
		ids[n] = it.key;
		records[n++] = pin_record(it.value);
	}
	if (!err)
		err = bus_state_replace(p->d->bus, TOPIC_pinned, ids, records, n);
	free(ids);
	free(records);
	return err;
}

static int publish(struct proxy *p, const struct pin *pin)
{
	char id[PIN_ID_LEN];
	int err;

	pin_id(pin->device, pin->name, id);
	err = bus_state_set(p->d->bus, TOPIC_pinned, id, pin_record(pin));
	p->pins.is_due |= err != 0;
	return err;
}

static bool has_room(struct pins *ps, const char *device)
{
	size_t own = 0;

	hmap_foreach (&ps->by_id, it)
		own += !strcmp(((const struct pin *)it.value)->device, device);
	if (ps->by_id.count < PINS_MAX && own < PINS_PER_DEVICE)
		return true;
	ps->lacked_room++;
	return false;
}

static void make_pin(struct proxy *p, const char *device, const char *name, unsigned count)
{
	struct pins *ps = &p->pins;
	struct pin *pin = has_room(ps, device) ? pin_new(device, name) : NULL;

	if (!pin)
		return;
	pin->until = clock_wall_ms() + p->conf->pinned_s * 1000;
	pin->count = count;
	if (pins_put(ps, pin))
		return;
	publish(p, pin);
	refusals_forget(&ps->refusals, device, name);
	ps->made++;
	log_notice("pass-through made device=%s refusals=%u for_s=%lld", device, count,
		(long long)p->conf->pinned_s);
	bus_event_send(p->d->bus, EVENT_proxyd_pinned, pin_record(pin));
}

/* By the policy of this process, and of now. */
static bool may_be_pinned(struct proxy *p, const char *device, const char *name)
{
	struct device_view *v = p->dir ? directory_find_id(p->dir, device) : NULL;
	const struct pin *pin;
	char id[PIN_ID_LEN];
	struct decision d;

	if (!v)
		return false;
	pin_id(device, name, id);
	pin = hmap_find_str(&p->pins.by_id, id);
	if (pin && !pin_is_over(p, pin, clock_wall_ms()))
		return false;
	pins_decide(p, v, name, &d);
	return pins_is_plain(p, v, name, &d) &&
	       !policy_has_list_paths(p->policy, v, name, strlen(name)) &&
	       !policy_has_path_rules(p->policy, name, strlen(name));
}

static void on_count(void *arg, const char *device, const char *name, unsigned count)
{
	struct proxy *p = arg;

	if (p->pins.is_owner && p->conf->pinned_after && count >= p->conf->pinned_after &&
		may_be_pinned(p, device, name))
		make_pin(p, device, name, count);
}

void pins_on_refusal(void *arg, enum bus_event ev, const void *rec)
{
	struct proxy *p = arg;
	const struct rec_refusal *r = rec;
	const struct refused one = { r->device, r->name, r->began, r->ended, r->alert };
	struct pins *ps = &p->pins;

	(void)ev;
	if (r->trusted) {
		refusals_trust(&ps->refusals, r->device, r->name);
		return;
	}
	on_count(p, r->device, r->name, refusals_add(&ps->refusals, &one));
}

/* ---- taking back ---- */

static void on_flushed(void *arg, int status, uint64_t gen)
{
	(void)gen;
	if (status)
		bus_call_fail(arg, "later", strerror(-status));
	else
		bus_call_reply(arg, NULL);
}

void pins_on_unpin(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	struct proxy *p = arg;
	const struct rec_unpin *u = args;
	struct pin *pin;

	(void)caller;
	if (!p->pins.is_owner) {
		bus_call_ignore(call);
		return;
	}
	pin = hmap_find_str(&p->pins.by_id, u->id);
	if (!pin || pin->is_revoked || pin_is_over(p, pin, clock_wall_ms())) {
		bus_call_fail(call, "unknown", "there is no such pass-through");
		return;
	}
	pin->is_revoked = true;
	pin->until = clock_wall_ms() + p->conf->pinned_s * 1000;
	refusals_forget(&p->pins.refusals, pin->device, pin->name);
	log_notice("pass-through revoked device=%s", pin->device);
	flows_judge(&p->flows);
	if (publish(p, pin) || bus_state_flush(p->d->bus, TOPIC_pinned, on_flushed, call))
		bus_call_fail(call, "later", "no memory");
}

/* ---- time ---- */

/* What this process has, from Redis or from disk, is what is published from now on. */
static void become_owner(struct proxy *p)
{
	struct pins *ps = &p->pins;

	if (!bus_is_connected(p->d->bus) || !bus_is_holder(p->d->bus) ||
		(!bus_topic_is_current(p->d->bus, TOPIC_pinned, BUS_PROXYD) &&
			ps->waited++ < WAITS_MAX))
		return;
	if (publish_all(p))
		return;
	ps->is_owner = true;
	timer_start(&ps->sweep, SWEEP_MS, SWEEP_MS);
	refusals_each(&ps->refusals, on_count, p);
}

static bool is_device_gone(const struct proxy *p, const char *id)
{
	return p->dir && directory_is_current(p->dir) && !directory_find_id(p->dir, id);
}

void pins_on_sweep(struct timer *t)
{
	struct proxy *p = t->data;
	struct pins *ps = &p->pins;
	int64_t now = clock_wall_ms();
	bool has_changed = false;

	if (!ps->is_owner) {
		become_owner(p);
		return;
	}
	hmap_foreach (&ps->by_id, it) {
		const struct pin *pin = it.value;

		if (!pin_is_over(p, pin, now) && !is_device_gone(p, pin->device))
			continue;
		hmap_remove(&ps->by_id, it.key, it.len);
		has_changed = true;
	}
	if (has_changed || ps->is_due)
		ps->is_due = publish_all(p) != 0;
}
