/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/safe_search.h"
#include "proxyd/filter.h"
#include "proxyd/gateway.h"
#include "proxyd/ignored.h"
#include "proxyd/judge.h"
#include "proxyd/pins_impl.h"
#include "proxyd/search_url.h"
#include "proxyd/sni.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void pin_free(void *value)
{
	struct pin *pin = value;

	free(pin->device);
	free(pin->name);
	free(pin);
}

struct pin *pin_new(const char *device, const char *name)
{
	struct pin *pin = calloc(1, sizeof(*pin));

	if (!pin)
		return NULL;
	pin->device = strdup(device);
	pin->name = strdup(name);
	if (pin->device && pin->name)
		return pin;
	pin_free(pin);
	return NULL;
}

int pins_put(struct pins *ps, struct pin *pin)
{
	char id[PIN_ID_LEN];
	int err;

	pin_id(pin->device, pin->name, id);
	err = hmap_set_str(&ps->by_id, id, pin);
	if (err)
		pin_free(pin);
	return err;
}

bool pin_is_over(const struct proxy *p, const struct pin *pin, int64_t now)
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

bool pins_hides_names(const struct proxy *p, const char *host, const struct decision *d)
{
	return (d->reason != REASON_CONNECTIVITY && canary_find(&p->canary, host, strlen(host))) ||
	       sni_is_ech_public(p, host);
}

bool pins_is_plain(const struct proxy *p, const struct device_view *v, const char *host,
	const struct decision *d)
{
	return judge_is_allowed(d) && !gateway_is_host(p, host) && !is_search(v, host) &&
	       !filter_is_on(p, host, d) && !pins_hides_names(p, host, d);
}

/* The rules are asked again in each epoch alone, for their time. */
static bool has_paths(struct proxy *p, struct device_view *v, struct pin *pin)
{
	if (policy_has_list_paths(p->policy, v, pin->name, strlen(pin->name)))
		return true;
	if (pin->judged_in != p->flows.epoch) {
		pin->has_paths = policy_has_path_rules(p->policy, pin->name, strlen(pin->name));
		pin->judged_in = p->flows.epoch;
	}
	return pin->has_paths;
}

bool pins_pass(struct proxy *p, struct device_view *v, const char *host, const struct decision *d)
{
	char id[PIN_ID_LEN];
	struct pin *pin;

	if (!v || !p->pins.by_id.count || !p->conf->pinned_after)
		return false;
	pin_id(v->id, host, id);
	pin = hmap_find_str(&p->pins.by_id, id);
	return pin && !pin->is_revoked && !pin_is_over(p, pin, clock_wall_ms()) &&
	       pins_is_plain(p, v, host, d) && !has_paths(p, v, pin);
}

bool pins_is_blind(
	struct proxy *p, struct device_view *v, const char *host, const struct decision *d)
{
	return judge_is_allowed(d) && !gateway_is_host(p, host) &&
	       (d->no_decrypt || ignored_has(p, v, host) || pins_pass(p, v, host, d)) &&
	       !pins_hides_names(p, host, d);
}

void pins_decide(struct proxy *p, struct device_view *v, const char *host, struct decision *d)
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
	pins_decide(p, v, host, &d);
	if (d.no_decrypt || !pins_is_plain(p, v, host, &d))
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

/* ---- following ---- */

/* The owner's own word is newer than what comes back. */
static void on_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct proxy *p = arg;
	const struct rec_pinned *r = rec;
	struct pin *pin = hmap_find_str(&p->pins.by_id, id);

	(void)topic;
	(void)owner;
	if (p->pins.is_owner)
		return;
	if (!r) {
		hmap_remove_str(&p->pins.by_id, id);
		return;
	}
	/* What ends one that is there needs no memory. */
	if (!pin || strcmp(pin->device, r->device) != 0 || strcmp(pin->name, r->name) != 0) {
		pin = pin_new(r->device, r->name);
		if (!pin || pins_put(&p->pins, pin)) {
			bus_record_lost(p->d->bus);
			return;
		}
	}
	pin->until = r->until;
	pin->count = r->count;
	pin->is_revoked = r->revoked || r->head.closed;
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct proxy *p = arg;

	flows_judge(&p->flows);
	bus_topic_applied(p->d->bus, topic, owner, gen);
}

/* ---- life ---- */

int pins_open(struct proxy *p)
{
	static const struct bus_topic_ops ops = { on_record, on_batch_end };
	struct bus *bus = p->d->bus;
	int err;

	hmap_init(&p->pins.by_id, pin_free);
	refusals_init(&p->pins.refusals);
	timer_init(&p->d->loop, &p->pins.sweep, pins_on_sweep, p);
	timer_start(&p->pins.sweep, PINS_WAIT_MS, PINS_WAIT_MS);
	err = bus_subscribe(bus, TOPIC_pinned, BUS_PROXYD, &ops, p);
	if (!err)
		err = bus_event_subscribe(bus, EVENT_proxyd_refusal, pins_on_refusal, p);
	return err ? err : bus_serve(bus, REQUEST_proxyd_unpin, pins_on_unpin, p);
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
