/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/appeals.h"
#include "common/json.h"
#include "common/log.h"
#include "common/random.h"
#include "common/timer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MS (3600 * 1000)
/* Entries that no answer told of; beyond it the oldest are forgotten (not lost: the queue has
 * them). */
#define LOCAL_MAX 10000

struct appeal_device {
	struct list entries;
	uint64_t window_ms; /* monotonic begin of the hour that is counted */
	unsigned in_window;
};

struct appeals {
	struct proxy *p;
	struct appeal_key key;
	struct hmap devices; /* id → struct appeal_device */
	struct hmap entries; /* uuid → struct appeal_entry */
	struct list local;   /* by local_node, oldest first */
	size_t local_count;
	char process[17]; /* this one's name in events */
};

/* ---- entries ---- */

static void free_entry(struct appeals *a, struct appeal_entry *e)
{
	if (!list_is_empty(&e->local_node))
		a->local_count--;
	list_remove(&e->local_node);
	list_remove(&e->node);
	free(e->answer);
	free(e->host);
	free(e);
}

static int name_process(struct appeals *a)
{
	uint64_t number;

	if (random_bytes(NULL, (unsigned char *)&number, sizeof(number)))
		return -EIO;
	snprintf(a->process, sizeof(a->process), "%016lx", (unsigned long)number);
	return 0;
}

static struct appeal_device *make_device(struct appeals *a, const char *id)
{
	struct appeal_device *d = hmap_find_str(&a->devices, id);

	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d || hmap_set_str(&a->devices, id, d)) {
		free(d);
		return NULL;
	}
	list_init(&d->entries);
	d->window_ms = clock_mono_ms();
	return d;
}

static struct appeal_entry *make_entry(struct appeals *a, const char *uuid, const char *device)
{
	struct appeal_entry *e = hmap_find_str(&a->entries, uuid);
	struct appeal_device *d = e ? NULL : make_device(a, device);

	if (e || !d)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e || hmap_set_str(&a->entries, uuid, e)) {
		free(e);
		return NULL;
	}
	snprintf(e->uuid, sizeof(e->uuid), "%s", uuid);
	e->owner = d;
	list_init(&e->local_node);
	list_add(&d->entries, &e->node);
	return e;
}

static void forget_entry(struct appeals *a, struct appeal_entry *e)
{
	hmap_take_str(&a->entries, e->uuid);
	free_entry(a, e);
}

static void remember(
	struct appeals *a, const char *uuid, const char *device, const char *host, int64_t time_ms)
{
	struct appeal_entry *e;

	if (hmap_find_str(&a->entries, uuid))
		return;
	e = make_entry(a, uuid, device);
	if (!e)
		return; /* it is on disk all the same */
	e->host = strdup(host);
	if (!e->host) {
		forget_entry(a, e);
		return;
	}
	e->time_ms = time_ms;
	list_add(&a->local, &e->local_node);
	if (++a->local_count > LOCAL_MAX)
		forget_entry(a, container_of(a->local.next, struct appeal_entry, local_node));
}

/* ---- the bus ---- */

static void on_answer(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *record)
{
	const struct rec_appeal_answer *rec = record;
	struct appeals *a = arg;
	struct appeal_entry *e;
	char *answer, *host;

	(void)topic;
	(void)owner;
	if (!rec) {
		e = hmap_find_str(&a->entries, id);
		if (e)
			forget_entry(a, e);
		return;
	}
	e = make_entry(a, rec->uuid, rec->device);
	answer = strdup(rec->answer ? rec->answer : "");
	host = strdup(rec->host);
	if (!e || !answer || !host) {
		bus_record_lost(a->p->d->bus);
		free(answer);
		free(host);
		if (e && !e->host)
			forget_entry(a, e);
		return;
	}
	if (!list_is_empty(&e->local_node))
		a->local_count--;
	list_remove(&e->local_node);
	free(e->host);
	e->host = host;
	e->status = rec_has(rec, appeal_answer, status) ? (enum review_status)rec->status
							: REVIEW_STATUS_PENDING;
	free(e->answer);
	e->answer = answer;
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	const struct appeals *a = arg;

	bus_topic_applied(a->p->d->bus, topic, owner, gen);
}

static const char *text_of(const cJSON *record, const char *name)
{
	const cJSON *value = json_get(record, name);

	return cJSON_IsString(value) ? value->valuestring : "";
}

static void on_spooled(void *arg, const cJSON *record)
{
	const char *device = text_of(record, "device_id");
	int64_t time_ms = 0;

	json_get_int(json_get(record, "time"), &time_ms);
	if (*device)
		remember(arg, text_of(record, "uuid"), device, text_of(record, "host"), time_ms);
}

static cJSON *make_record(const struct appeal *appeal)
{
	cJSON *r = cJSON_CreateObject();

	cJSON_AddStringToObject(r, "uuid", appeal->uuid);
	cJSON_AddStringToObject(r, "url", appeal->url);
	cJSON_AddStringToObject(r, "host", appeal->host);
	cJSON_AddStringToObject(r, "mode", enum_text(ENUM_ID_appeal_mode, (int)appeal->mode));
	cJSON_AddStringToObject(r, "category_id", appeal->category_id);
	cJSON_AddStringToObject(r, "reason", appeal->reason);
	cJSON_AddStringToObject(r, "device_id", appeal->device_id);
	if (cJSON_AddNumberToObject(r, "time", (double)appeal->time_ms))
		return r;
	cJSON_Delete(r);
	return NULL;
}

/* ---- for the portal ---- */

const struct appeal_key *appeals_key(const struct appeals *a)
{
	return &a->key;
}

static unsigned count(struct appeal_device *d)
{
	uint64_t now = clock_mono_ms();

	if (now - d->window_ms >= WINDOW_MS) {
		d->window_ms = now;
		d->in_window = 0;
	}
	return ++d->in_window;
}

static void tell_others(const struct appeals *a, const char *device_id)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "device", device_id);
	cJSON_AddStringToObject(o, "process", a->process);
	bus_event_send(a->p->d->bus, EVENT_proxyd_appealed, o);
}

static void on_appealed(void *arg, enum bus_event ev, const void *rec)
{
	const struct rec_appeal_count *r = rec;
	struct appeals *a = arg;
	struct appeal_device *d = strcmp(r->process, a->process) ? make_device(a, r->device) : NULL;

	(void)ev;
	if (d)
		log_debug("appeal taken by another process device=%s in_hour=%u", r->device,
			count(d));
}

bool appeals_may_add(struct appeals *a, const char *device_id)
{
	struct appeal_device *d = make_device(a, device_id);

	if (!d || count(d) > a->p->conf->appeals_per_hour)
		return false;
	tell_others(a, device_id);
	return true;
}

int appeals_add(struct appeals *a, const struct appeal *appeal)
{
	cJSON *record = make_record(appeal);
	int err = record ? bus_queue_add(a->p->d->bus, QUEUE_appeals, record) : -ENOMEM;

	if (err == -EEXIST)
		return 0;
	if (err) {
		log_error("an appeal could not be stored device=%s error=\"%s\"", appeal->device_id,
			strerror(-err));
		return err;
	}
	a->p->appeals_stored++;
	remember(a, appeal->uuid, appeal->device_id, appeal->host, appeal->time_ms);
	return 0;
}

const struct list *appeals_of(const struct appeals *a, const char *device_id)
{
	const struct appeal_device *d = hmap_find_str(&a->devices, device_id);

	return d && !list_is_empty(&d->entries) ? &d->entries : NULL;
}

/* ---- life ---- */

struct appeals *appeals_open(struct proxy *p)
{
	static const struct bus_topic_ops ops = { on_answer, on_batch_end };
	struct appeals *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return NULL;
	a->p = p;
	hmap_init(&a->devices, free);
	hmap_init(&a->entries, NULL);
	list_init(&a->local);
	err = appeal_key_load(&a->key, p->conf->shared.state_dir);
	if (!err)
		err = name_process(a);
	if (!err)
		err = bus_event_subscribe(p->d->bus, EVENT_proxyd_appealed, on_appealed, a);
	if (!err) {
		bus_queue_each(p->d->bus, QUEUE_appeals, on_spooled, a);
		err = bus_subscribe(p->d->bus, TOPIC_appeal_answers, BUS_APID, &ops, a);
	}
	if (!err)
		return a;
	log_error("cannot open the appeals directory=%s error=\"%s\"", p->conf->shared.state_dir,
		strerror(-err));
	appeals_free(a);
	return NULL;
}

void appeals_free(struct appeals *a)
{
	if (!a)
		return;
	hmap_foreach (&a->entries, it)
		free_entry(a, it.value);
	hmap_fini(&a->entries);
	hmap_fini(&a->devices);
	free(a);
}
