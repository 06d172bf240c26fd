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

/* The records of one topic while a load goes on. */
struct load {
	char **ids;
	cJSON **records;
	size_t n, cap;
};

struct publisher {
	uv_loop_t *loop;
	struct bus *bus;
	bool is_loaded;
	struct hmap ids[BUS_TOPICS]; /* what was published */
	struct load loads[BUS_TOPICS];
	struct settings settings;
	struct hmap over_quota; /* device ids */
	struct list waiters;
	size_t waiter_count;
};

/* One call of publisher_await_peer. It lives until both the bus and its timer are done with it. */
struct waiter {
	struct list node;
	struct publisher *p;
	char *id, *public_key;
	void (*on_done)(void *arg, int status, const char *why); /* NULL: told */
	void *arg;
	struct timer deadline;
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
	struct publisher *p = arg;
	const struct rec_usage *usage = rec;

	(void)topic;
	(void)owner;
	if (usage && (usage->over_quota || usage->head.closed))
		hmap_set_str(&p->over_quota, id, p);
	else
		hmap_take_str(&p->over_quota, id);
}

static const struct bus_topic_ops usage_ops = { .on_record = on_usage };

enum entitlement publisher_entitlement(const struct publisher *p, const cJSON *device)
{
	struct rec_device d;
	enum entitlement e;

	if (codec_decode(REC_device, CODEC_LENIENT, device, &d, NULL, 0))
		return NOT_ENTITLED_INVALID;
	e = device_entitlement(
		&d, &p->settings, hmap_find_str(&p->over_quota, d.id), clock_wall_ms());
	rec_fini(REC_device, &d);
	return e;
}

/* ---- single records ---- */

int publisher_set(struct publisher *p, enum bus_topic topic, const char *id, cJSON *record)
{
	int r = hmap_set_str(&p->ids[topic], id, p);

	if (r) {
		cJSON_Delete(record);
		return r;
	}
	if (topic == TOPIC_settings)
		apply_setting(p, id, record);
	return bus_state_set(p->bus, topic, id, record);
}

int publisher_remove(struct publisher *p, enum bus_topic topic, const char *id)
{
	if (!hmap_take_str(&p->ids[topic], id))
		return 0;
	if (topic == TOPIC_settings)
		apply_setting(p, id, NULL);
	return bus_state_del(p->bus, topic, id);
}

/* ---- loads ---- */

static void load_fini(struct load *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->ids[i]);
		cJSON_Delete(l->records[i]);
	}
	free(l->ids);
	free(l->records);
	*l = (struct load){ 0 };
}

void publisher_load_cancel(struct publisher *p)
{
	for (int t = 0; t < BUS_TOPICS; t++)
		load_fini(&p->loads[t]);
}

static int load_grow(struct load *l)
{
	size_t cap = l->cap ? l->cap * 2 : 64;
	char **ids = realloc(l->ids, cap * sizeof(*ids));
	cJSON **records;

	if (!ids)
		return -ENOMEM;
	l->ids = ids;
	records = realloc(l->records, cap * sizeof(*records));
	if (!records)
		return -ENOMEM;
	l->records = records;
	l->cap = cap;
	return 0;
}

int publisher_load_add(struct publisher *p, enum bus_topic topic, const char *id, cJSON *record)
{
	struct load *l = &p->loads[topic];
	char *copy = strdup(id);

	if (!copy || !record || (l->n == l->cap && load_grow(l))) {
		free(copy);
		cJSON_Delete(record);
		return -ENOMEM;
	}
	l->ids[l->n] = copy;
	l->records[l->n++] = record;
	return 0;
}

/* The first state of a topic since the start: the bus gets it whole. */
static int publish_whole(struct publisher *p, enum bus_topic topic, struct load *l)
{
	int r = 0;

	for (size_t i = 0; i < l->n && !r; i++) {
		r = hmap_set_str(&p->ids[topic], l->ids[i], p);
		if (topic == TOPIC_settings)
			apply_setting(p, l->ids[i], l->records[i]);
	}
	if (r)
		return r;
	r = bus_state_replace(p->bus, topic, (const char *const *)l->ids, l->records, l->n);
	/* The bus has taken the records over. */
	for (size_t i = 0; i < l->n; i++)
		l->records[i] = NULL;
	return r;
}

static int publish_difference(struct publisher *p, enum bus_topic topic, struct load *l)
{
	struct hmap gone = p->ids[topic];
	int r = 0;

	hmap_init(&p->ids[topic], NULL);
	for (size_t i = 0; i < l->n; i++) {
		int err = publisher_set(p, topic, l->ids[i], l->records[i]);

		l->records[i] = NULL;
		hmap_take_str(&gone, l->ids[i]);
		r = r ? r : err;
	}
	hmap_foreach (&gone, it) {
		int err = bus_state_del(p->bus, topic, it.key);

		if (topic == TOPIC_settings)
			apply_setting(p, it.key, NULL);
		r = r ? r : err;
	}
	hmap_fini(&gone);
	return r;
}

int publisher_load_end(struct publisher *p)
{
	size_t count = 0;
	int r = 0;

	for (int t = 0; t < BUS_TOPICS && !r; t++) {
		enum bus_topic topic = (enum bus_topic)t;

		if (!topic_is_kept(topic))
			continue;
		count += p->loads[t].n;
		r = p->is_loaded ? publish_difference(p, topic, &p->loads[t])
				 : publish_whole(p, topic, &p->loads[t]);
	}
	publisher_load_cancel(p);
	if (!r) {
		p->is_loaded = true;
		log_info(
			"state loaded records=%zu devices=%zu", count, p->ids[TOPIC_devices].count);
	}
	return r;
}

bool publisher_is_loaded(const struct publisher *p)
{
	return p->is_loaded;
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
	if (bus_request(w->p->bus, REQUEST_wgd_peer_applied, args, on_applied, w)) {
		w->holds--; /* the caller holds it too */
		waiter_tell(w, -ETIMEDOUT, NULL);
	}
}

static void on_devices_flushed(void *arg, int status, uint64_t gen)
{
	struct waiter *w = arg;

	if (status)
		waiter_tell(w, status, NULL);
	else if (w->on_done)
		ask_wgd(w, gen);
	waiter_release(w);
}

static void on_keys_flushed(void *arg, int status, uint64_t gen)
{
	struct waiter *w = arg;
	int r = status;

	(void)gen;
	if (!r && w->on_done) {
		w->holds++;
		r = bus_state_flush(w->p->bus, TOPIC_devices, on_devices_flushed, w);
		if (r)
			w->holds--; /* we hold it too */
	}
	if (r)
		waiter_tell(w, r, NULL);
	waiter_release(w);
}

void publisher_await_peer(struct publisher *p, const char *id, const char *public_key,
	void (*on_done)(void *arg, int status, const char *why), void *arg)
{
	struct waiter *w = p->waiter_count < WAITERS_MAX ? calloc(1, sizeof(*w)) : NULL;
	int r;

	if (!w) {
		on_done(arg, -EBUSY, NULL);
		return;
	}
	*w = (struct waiter){ .p = p, .on_done = on_done, .arg = arg, .holds = 2 };
	w->id = strdup(id);
	w->public_key = public_key ? strdup(public_key) : NULL;
	timer_init(p->loop, &w->deadline, on_waiter_deadline, w);
	timer_start(&w->deadline, WAIT_MS, 0);
	list_add(&p->waiters, &w->node);
	p->waiter_count++;
	r = w->id && (w->public_key || !public_key)
		    ? bus_state_flush(p->bus, TOPIC_device_keys, on_keys_flushed, w)
		    : -ENOMEM;
	if (r) {
		waiter_tell(w, r, NULL);
		waiter_release(w);
	}
}

/* ---- life ---- */

struct publisher *publisher_open(uv_loop_t *loop, struct bus *bus)
{
	struct publisher *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->loop = loop;
	p->bus = bus;
	for (int t = 0; t < BUS_TOPICS; t++)
		hmap_init(&p->ids[t], NULL);
	hmap_init(&p->over_quota, NULL);
	settings_init(&p->settings);
	list_init(&p->waiters);
	if (bus_subscribe(bus, TOPIC_usage, BUS_WGD, &usage_ops, p))
		log_warning("quotas are not known to apid");
	return p;
}

void publisher_close(struct publisher *p)
{
	while (!list_is_empty(&p->waiters))
		waiter_tell(container_of(p->waiters.next, struct waiter, node), -ECANCELED, NULL);
}

void publisher_free(struct publisher *p)
{
	publisher_load_cancel(p);
	for (int t = 0; t < BUS_TOPICS; t++)
		hmap_fini(&p->ids[t]);
	hmap_fini(&p->over_quota);
	settings_fini(&p->settings);
	free(p);
}
