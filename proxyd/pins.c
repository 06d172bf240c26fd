/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/pins.h"
#include "common/log.h"
#include "common/policy/safe_search.h"
#include "proxyd/filter.h"
#include "proxyd/gateway.h"
#include "proxyd/judge.h"
#include "proxyd/search_url.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MS 1000
/* Until this process is the owner: how often that is looked at, and for how long, connected, it
 * waits for what Redis has of the topic; then that has nothing. */
#define WAIT_MS	  100
#define WAITS_MAX 10

/* As the record has it, and what was found out of its name. */
struct pin {
	int64_t until; /* epoch ms */
	int64_t count;
	bool is_revoked;
	bool has_paths;	    /* policy_has_path_rules … */
	uint64_t judged_in; /* … in that epoch of flows */
	char *device, *name;
};

static void free_pin(void *value)
{
	struct pin *pin = value;

	free(pin->device);
	free(pin->name);
	free(pin);
}

static struct pin *new_pin(const char *device, const char *name)
{
	struct pin *pin = calloc(1, sizeof(*pin));

	if (!pin)
		return NULL;
	pin->device = strdup(device);
	pin->name = strdup(name);
	if (pin->device && pin->name)
		return pin;
	free_pin(pin);
	return NULL;
}

/* Takes pin over. */
static int put(struct pins *ps, struct pin *pin)
{
	char id[PIN_ID_LEN];
	int err;

	pin_id(pin->device, pin->name, id);
	err = hmap_set_str(&ps->by_id, id, pin);
	if (err)
		free_pin(pin);
	return err;
}

/* None lasts longer than one that is made now would: a clock that was set back, or a shorter
 * pinned_s, prolongs nothing. */
static bool is_over(const struct proxy *p, const struct pin *pin, int64_t now)
{
	return now >= pin->until || pin->until - now > p->conf->pinned_s * 1000;
}

/* ---- what may pass ---- */

static bool is_search(const struct device_view *device, const char *host)
{
	const struct rec_safe_search *want = device_safe_search(device);

	return search_is_host(host) ||
	       (want && safe_search_find(want, host, strlen(host)) != SAFE_FORMS);
}

/* Is the name's own verdict all that there is to be said of what it has? */
static bool is_plain(const struct proxy *p, const struct device_view *v, const char *host,
	const struct decision *d)
{
	return judge_is_allowed(d) && !gateway_is_host(p, host) && !is_search(v, host) &&
	       !filter_is_on(p, host, d);
}

/* Asked again in each epoch alone, for its time. */
static bool has_paths(const struct proxy *p, struct pin *pin)
{
	if (pin->judged_in != p->flows.epoch) {
		pin->has_paths = policy_has_path_rules(p->policy, pin->name, strlen(pin->name));
		pin->judged_in = p->flows.epoch;
	}
	return pin->has_paths;
}

bool pins_pass(
	struct proxy *p, const struct device_view *v, const char *host, const struct decision *d)
{
	char id[PIN_ID_LEN];
	struct pin *pin;

	if (!v || !p->pins.by_id.count || !p->conf->pinned_after)
		return false;
	pin_id(v->id, host, id);
	pin = hmap_find_str(&p->pins.by_id, id);
	return pin && !pin->is_revoked && !is_over(p, pin, clock_wall_ms()) &&
	       is_plain(p, v, host, d) && !has_paths(p, pin);
}

bool pins_is_blind(
	struct proxy *p, const struct device_view *v, const char *host, const struct decision *d)
{
	return judge_is_allowed(d) && !gateway_is_host(p, host) &&
	       (d->no_decrypt || pins_pass(p, v, host, d));
}

/* The policy's word on a name. */
static void decide_name(
	struct proxy *p, struct device_view *v, const char *host, struct decision *d)
{
	struct policy_query q = {
		.path = POLICY_PATH_PROXY,
		.host = host,
		.host_len = strlen(host),
	};

	policy_decide(p->policy, v, &q, clock_wall_ms(), d);
}

/* ---- telling each other ---- */

static cJSON *refusal_record(const struct device_view *v, const char *host, int64_t began)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "device", v->id);
	cJSON_AddStringToObject(o, "name", host);
	cJSON_AddNumberToObject(o, "began", (double)began);
	cJSON_AddNumberToObject(o, "ended", (double)clock_wall_ms());
	return o;
}

void pins_refused(
	struct proxy *p, const struct addr *device, const char *host, int64_t began, bool is_alert)
{
	struct device_view *v = proxy_device(p, device);
	struct decision d;
	cJSON *o;

	if (!v || !p->conf->pinned_after)
		return;
	decide_name(p, v, host, &d);
	if (d.no_decrypt || !is_plain(p, v, host, &d))
		return;
	o = refusal_record(v, host, began);
	cJSON_AddBoolToObject(o, "alert", is_alert);
	bus_event_send(p->d->bus, EVENT_proxyd_refusal, o);
}

void pins_trusted(struct proxy *p, const struct addr *device, const char *host)
{
	const struct device_view *v = p->pins.refusals.by_id.count ? proxy_device(p, device) : NULL;
	cJSON *o;

	if (!v || !refusals_has(&p->pins.refusals, v->id, host))
		return;
	o = refusal_record(v, host, clock_wall_ms());
	cJSON_AddBoolToObject(o, "trusted", true);
	bus_event_send(p->d->bus, EVENT_proxyd_refusal, o);
}

/* ---- writing ---- */

static cJSON *pin_record(const struct pin *pin)
{
	cJSON *o = cJSON_CreateObject();
	char id[PIN_ID_LEN];

	pin_id(pin->device, pin->name, id);
	cJSON_AddStringToObject(o, "id", id);
	cJSON_AddStringToObject(o, "device", pin->device);
	cJSON_AddStringToObject(o, "name", pin->name);
	cJSON_AddNumberToObject(o, "until", (double)pin->until);
	cJSON_AddNumberToObject(o, "count", (double)pin->count);
	if (pin->is_revoked)
		cJSON_AddBoolToObject(o, "revoked", true);
	return o;
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

	pin_id(pin->device, pin->name, id);
	return bus_state_set(p->d->bus, TOPIC_pinned, id, pin_record(pin));
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
	struct pin *pin = has_room(ps, device) ? new_pin(device, name) : NULL;

	if (!pin)
		return;
	pin->until = clock_wall_ms() + p->conf->pinned_s * 1000;
	pin->count = count;
	if (put(ps, pin))
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
	if (pin && !is_over(p, pin, clock_wall_ms()))
		return false;
	decide_name(p, v, name, &d);
	return is_plain(p, v, name, &d) && !policy_has_path_rules(p->policy, name, strlen(name));
}

static void on_count(void *arg, const char *device, const char *name, unsigned count)
{
	struct proxy *p = arg;

	if (p->pins.is_owner && p->conf->pinned_after && count >= p->conf->pinned_after &&
		may_be_pinned(p, device, name))
		make_pin(p, device, name, count);
}

static void on_refusal(void *arg, enum bus_event ev, const void *rec)
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

static void on_unpin(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
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
	if (!pin || pin->is_revoked || is_over(p, pin, clock_wall_ms())) {
		bus_call_fail(call, "unknown", "there is no such pass-through");
		return;
	}
	pin->is_revoked = true;
	pin->until = clock_wall_ms() + p->conf->pinned_s * 1000;
	refusals_forget(&p->pins.refusals, pin->device, pin->name);
	log_notice("pass-through revoked device=%s", pin->device);
	flows_judge(&p->flows);
	publish(p, pin);
	if (bus_state_flush(p->d->bus, TOPIC_pinned, on_flushed, call))
		bus_call_fail(call, "later", "no memory");
}

/* ---- following ---- */

/* The owner's own word is newer than what comes back. */
static void on_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct proxy *p = arg;
	const struct rec_pinned *r = rec;
	struct pin *pin;

	(void)topic;
	(void)owner;
	if (p->pins.is_owner)
		return;
	hmap_remove_str(&p->pins.by_id, id);
	pin = r ? new_pin(r->device, r->name) : NULL;
	if (!pin)
		return;
	pin->until = r->until;
	pin->count = r->count;
	pin->is_revoked = r->revoked || r->head.closed;
	put(&p->pins, pin);
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct proxy *p = arg;

	flows_judge(&p->flows);
	bus_topic_applied(p->d->bus, topic, owner, gen);
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

static void on_sweep(struct timer *t)
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

		if (!is_over(p, pin, now) && !is_device_gone(p, pin->device))
			continue;
		hmap_remove(&ps->by_id, it.key, it.len);
		has_changed = true;
	}
	if (has_changed)
		publish_all(p);
}

/* ---- life ---- */

int pins_open(struct proxy *p)
{
	static const struct bus_topic_ops ops = { on_record, on_batch_end };
	struct bus *bus = p->d->bus;
	int err;

	hmap_init(&p->pins.by_id, free_pin);
	refusals_init(&p->pins.refusals);
	timer_init(&p->d->loop, &p->pins.sweep, on_sweep, p);
	timer_start(&p->pins.sweep, WAIT_MS, WAIT_MS);
	err = bus_subscribe(bus, TOPIC_pinned, BUS_PROXYD, &ops, p);
	if (!err)
		err = bus_event_subscribe(bus, EVENT_proxyd_refusal, on_refusal, p);
	return err ? err : bus_serve(bus, REQUEST_proxyd_unpin, on_unpin, p);
}

void pins_close(struct proxy *p)
{
	if (p->pins.sweep.on_fire)
		timer_close(&p->pins.sweep, NULL);
}

void pins_fini(struct proxy *p)
{
	hmap_fini(&p->pins.by_id);
	refusals_fini(&p->pins.refusals);
}

void pins_report(const struct proxy *p, cJSON *status)
{
	cJSON_AddNumberToObject(status, "pinned", (double)p->pins.by_id.count);
	cJSON_AddNumberToObject(status, "pinned_made", (double)p->pins.made);
	cJSON_AddNumberToObject(status, "pinned_lacked_room", (double)p->pins.lacked_room);
}
