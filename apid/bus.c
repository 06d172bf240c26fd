/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/bus.h"
#include "apid/topics.h"
#include "common/hmap.h"
#include "common/list.h"
#include "common/log.h"
#include "common/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 2000, WAITERS_MAX = 1024 };

struct publisher {
	uv_loop_t *loop;
	struct bus *bus;
	const struct gateways *gateways;
	bool is_holder;
	int64_t reached_seq;	/* change that everything published so far contains */
	int64_t published_seq;	/* … and Redis has; the holder's, here or elsewhere */
	uint64_t published_gen; /* generation of `devices` then */
	struct settings settings;
	/* Device ids, as each gateway says; what another than the device's says is of before. */
	struct usage_of {
		const struct gateway *gateway;
		struct hmap over_quota;
	} usage[GATEWAYS_MAX];
	struct list waiters;
	size_t waiter_count;
};

/* One call of publisher_await_peer. It lives until both the bus and its timer are done with it. */
struct waiter {
	struct list node;
	struct publisher *p;
	const struct gateway *gateway;
	int64_t seq;
	char *id, *public_key;
	void (*on_done)(void *arg, int status, const char *why); /* NULL: told */
	void *arg;
	struct timer deadline;
	bool is_asking; /* wgd has been asked */
	unsigned holds;
};

/* ---- settings and quotas ---- */

static void apply_setting(struct publisher *p, const char *id, const cJSON *record)
{
	struct rec_setting s;

	if (!record) {
		settings_apply(&p->settings, id, NULL);
	} else if (!codec_decode(REC_setting, CODEC_LENIENT, record, &s, NULL, 0)) {
		settings_apply(&p->settings, id, &s);
		rec_fini(REC_setting, &s);
	}
}

static void on_usage(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct usage_of *of = arg;
	const struct rec_usage *usage = rec;

	(void)topic;
	(void)owner;
	if (!usage || !(usage->over_quota || usage->head.closed))
		hmap_take_str(&of->over_quota, id);
	else if (hmap_set_str(&of->over_quota, id, of))
		bus_record_lost(of->gateway->bus);
}

static const struct bus_topic_ops usage_ops = { .on_record = on_usage };

static bool is_over_quota(const struct publisher *p, const struct rec_device *d)
{
	const struct gateway *at = gateways_of_tunnel(p->gateways, d->tunnel);

	return hmap_find_str(&p->usage[at - p->gateways->v].over_quota, d->id);
}

enum entitlement publisher_entitlement(const struct publisher *p, const cJSON *device)
{
	struct rec_device d;
	enum entitlement e;

	if (codec_decode(REC_device, CODEC_LENIENT, device, &d, NULL, 0))
		return NOT_ENTITLED_INVALID;
	e = device_entitlement(&d, &p->settings, is_over_quota(p, &d), clock_wall_ms());
	rec_fini(REC_device, &d);
	return e;
}

const struct settings *publisher_settings(const struct publisher *p)
{
	return &p->settings;
}

void publisher_load_settings(struct publisher *p, const struct table *settings)
{
	settings_fini(&p->settings);
	settings_init(&p->settings);
	for (size_t i = 0; i < settings->n; i++) {
		const struct table_row *row = settings->sorted[i];
		cJSON *record = json_parse(row->text, row->len);

		apply_setting(p, row->id, record);
		cJSON_Delete(record);
	}
}

/* ---- single records ---- */

int publisher_set(struct publisher *p, enum bus_topic topic, const char *id, cJSON *record)
{
	if (topic == TOPIC_settings)
		apply_setting(p, id, record);
	if (p->is_holder)
		return bus_state_set(p->bus, topic, id, record);
	cJSON_Delete(record);
	return 0;
}

int publisher_remove(struct publisher *p, enum bus_topic topic, const char *id)
{
	if (topic == TOPIC_settings)
		apply_setting(p, id, NULL);
	return p->is_holder ? bus_state_del(p->bus, topic, id) : 0;
}

/* ---- everything ---- */

static int publish_topic(struct publisher *p, enum bus_topic topic, const struct table *t,
	publisher_make make, void *arg)
{
	const char **ids = calloc(t->n + 1, sizeof(*ids));
	cJSON **records = calloc(t->n + 1, sizeof(*records));
	int r = ids && records ? 0 : -ENOMEM;
	size_t n = 0;

	for (; n < t->n && !r; n++) {
		ids[n] = t->sorted[n]->id;
		records[n] = make(arg, topic, t->sorted[n]);
		r = records[n] ? 0 : -ENOMEM;
	}
	if (r) {
		while (records && n--)
			cJSON_Delete(records[n]);
	} else {
		r = bus_state_replace(p->bus, topic, ids, records, n);
	}
	free(ids);
	free(records);
	return r;
}

int publisher_publish_all(struct publisher *p, const struct table *tables, publisher_make make,
	void *arg, int64_t seq)
{
	size_t count = 0;
	int r = 0;

	for (int t = 0; t < BUS_TOPICS && !r; t++) {
		if (!topic_is_kept((enum bus_topic)t))
			continue;
		count += tables[t].n;
		r = publish_topic(p, (enum bus_topic)t, &tables[t], make, arg);
	}
	if (r)
		return r;
	if (!p->is_holder)
		log_notice("this process publishes");
	p->is_holder = true;
	log_info("state published records=%zu devices=%zu", count, tables[TOPIC_devices].n);
	publisher_reached(p, seq);
	return 0;
}

void publisher_set_fence(struct publisher *p, uint64_t number,
	void (*on_fenced)(void *arg, uint64_t in_force), void *arg)
{
	bus_state_set_fence(p->bus, number, on_fenced, arg);
}

void publisher_yield(struct publisher *p)
{
	if (!p->is_holder)
		return;
	log_notice("this process publishes no more");
	p->is_holder = false;
	p->reached_seq = 0; /* what it had not published then it will when it does again */
	bus_state_release(p->bus);
}

bool publisher_is_holder(const struct publisher *p)
{
	return p->is_holder;
}

/* ---- what is published, and what others know of it ---- */

static void tell_published(struct publisher *p, int64_t seq, uint64_t gen);

struct reached {
	struct publisher *p;
	int64_t seq;
};

/* Redis may not have it: who reaches that change again tries again. */
static void fail_reached(struct reached *r)
{
	if (r->p->reached_seq == r->seq)
		r->p->reached_seq = r->p->published_seq;
	free(r);
}

static void on_reached(void *arg, int status, uint64_t gen)
{
	struct reached *r = arg;

	if (status || !r->p->is_holder) {
		fail_reached(r);
		return;
	}
	tell_published(r->p, r->seq, gen);
	bus_status_changed(r->p->bus);
	free(r);
}

static void on_keys_reached(void *arg, int status, uint64_t gen)
{
	struct reached *r = arg;

	(void)gen;
	if (status || bus_state_flush(r->p->bus, TOPIC_devices, on_reached, r))
		fail_reached(r);
}

void publisher_reached(struct publisher *p, int64_t seq)
{
	struct reached *r;

	if (!p->is_holder || seq <= p->reached_seq)
		return;
	r = malloc(sizeof(*r));
	if (!r)
		return; /* whoever waits for it is told at the next one */
	*r = (struct reached){ p, seq };
	p->reached_seq = seq;
	if (bus_state_flush(p->bus, TOPIC_device_keys, on_keys_reached, r))
		fail_reached(r);
}

void publisher_fill_status(const struct publisher *p, cJSON *status)
{
	cJSON_AddBoolToObject(status, "publishes", p->is_holder);
	if (!p->is_holder)
		return;
	cJSON_AddNumberToObject(status, "published_seq", (double)p->published_seq);
	cJSON_AddNumberToObject(status, "published_gen", (double)p->published_gen);
}

static void on_status(void *arg, const struct bus_status *s)
{
	struct publisher *p = arg;
	int64_t seq, gen;

	if (s->daemon == BUS_APID && !p->is_holder &&
		json_get_int(json_get(s->json, "published_seq"), &seq) &&
		json_get_int(json_get(s->json, "published_gen"), &gen))
		tell_published(p, seq, (uint64_t)gen);
}

/* ---- waiting for wgd ---- */

static void waiter_release(struct waiter *w)
{
	if (--w->holds)
		return;
	free(w->id);
	free(w->public_key);
	free(w);
}

static void on_waiter_closed(struct timer *t)
{
	waiter_release(t->data);
}

static void waiter_tell(struct waiter *w, int status, const char *why)
{
	void (*on_done)(void *arg, int status, const char *why) = w->on_done;

	if (!on_done)
		return;
	w->on_done = NULL;
	list_remove(&w->node);
	w->p->waiter_count--;
	timer_close(&w->deadline, on_waiter_closed);
	on_done(w->arg, status, why);
}

static void on_waiter_deadline(struct timer *t)
{
	waiter_tell(t->data, -ETIMEDOUT, NULL);
}

static void on_applied(void *arg, int status, const cJSON *result)
{
	struct waiter *w = arg;
	bool failed = status == -EREMOTEIO;
	const char *code = failed ? cJSON_GetStringValue(json_get(result, "code")) : NULL;
	const char *detail = failed ? cJSON_GetStringValue(json_get(result, "detail")) : NULL;

	if (code && !strcmp(code, "refused"))
		waiter_tell(w, -EPERM, detail ? detail : "");
	else
		waiter_tell(w, status ? -ETIMEDOUT : 0, NULL);
	waiter_release(w);
}

/* Both topics are in Redis; wgd is asked about the generation of the devices. */
static void ask_wgd(struct waiter *w, uint64_t gen)
{
	cJSON *args = cJSON_CreateObject();

	if (!args || !cJSON_AddStringToObject(args, "id", w->id) ||
		!cJSON_AddNumberToObject(args, "gen", (double)gen) ||
		(w->public_key && !cJSON_AddStringToObject(args, "public_key", w->public_key))) {
		cJSON_Delete(args);
		waiter_tell(w, -ETIMEDOUT, NULL);
		return;
	}
	w->holds++;
	if (bus_request(w->gateway->bus, REQUEST_wgd_peer_applied, args, on_applied, w)) {
		w->holds--; /* the caller holds it too */
		waiter_tell(w, -ETIMEDOUT, NULL);
	}
}

static void tell_published(struct publisher *p, int64_t seq, uint64_t gen)
{
	p->published_seq = seq;
	p->published_gen = gen;
	list_foreach_safe (&p->waiters, it) {
		struct waiter *w = container_of(it, struct waiter, node);

		if (w->is_asking || w->seq > seq)
			continue;
		w->is_asking = true;
		ask_wgd(w, gen);
	}
}

bool publisher_same_gateway(const struct publisher *p, const char *a, const char *b)
{
	return gateways_of_tunnel(p->gateways, a) == gateways_of_tunnel(p->gateways, b);
}

void publisher_await_peer(struct publisher *p, const char *tunnel, int64_t seq, const char *id,
	const char *public_key, void (*on_done)(void *arg, int status, const char *why), void *arg)
{
	struct waiter *w = p->waiter_count < WAITERS_MAX ? calloc(1, sizeof(*w)) : NULL;

	if (!w) {
		on_done(arg, -EBUSY, NULL);
		return;
	}
	*w = (struct waiter){ .p = p, .seq = seq, .on_done = on_done, .arg = arg, .holds = 1 };
	w->gateway = gateways_of_tunnel(p->gateways, tunnel);
	w->id = strdup(id);
	w->public_key = public_key ? strdup(public_key) : NULL;
	timer_init(p->loop, &w->deadline, on_waiter_deadline, w);
	timer_start(&w->deadline, WAIT_MS, 0);
	list_add(&p->waiters, &w->node);
	p->waiter_count++;
	if (!w->id || (!w->public_key && public_key)) {
		waiter_tell(w, -ENOMEM, NULL);
	} else if (seq <= p->published_seq) {
		w->is_asking = true;
		ask_wgd(w, p->published_gen);
	}
}

/* ---- life ---- */

static int follow_usage(struct publisher *p)
{
	int err = 0;

	for (size_t i = 0; i < p->gateways->n && !err; i++) {
		p->usage[i].gateway = &p->gateways->v[i];
		hmap_init(&p->usage[i].over_quota, NULL);
		err = bus_subscribe(
			p->gateways->v[i].bus, TOPIC_usage, BUS_WGD, &usage_ops, &p->usage[i]);
	}
	return err;
}

struct publisher *publisher_open(uv_loop_t *loop, struct bus *bus, const struct gateways *gateways)
{
	struct publisher *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->loop = loop;
	p->bus = bus;
	p->gateways = gateways;
	settings_init(&p->settings);
	list_init(&p->waiters);
	if (follow_usage(p))
		log_warning("quotas are not known to apid");
	bus_watch_status(bus, on_status, p);
	return p;
}

void publisher_close(struct publisher *p)
{
	while (!list_is_empty(&p->waiters))
		waiter_tell(container_of(p->waiters.next, struct waiter, node), -ECANCELED, NULL);
}

void publisher_free(struct publisher *p)
{
	for (size_t i = 0; i < GATEWAYS_MAX; i++) {
		if (p->usage[i].gateway)
			hmap_fini(&p->usage[i].over_quota);
	}
	settings_fini(&p->settings);
	free(p);
}
