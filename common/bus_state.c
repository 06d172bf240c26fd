/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_state.h"
#include "common/log.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct waiter {
	struct list node;
	uint64_t seq;
	void (*on_done)(void *arg, int status, uint64_t gen);
	void *arg;
};

static char mark; /* value of the sets that are only keys */

struct own_rec *own_rec_new(const char *id, const char *text)
{
	size_t id_len = strlen(id) + 1, text_len = text ? strlen(text) : 0;
	struct own_rec *r = malloc(sizeof(*r) + id_len + text_len + 1);

	if (!r)
		return NULL;
	r->refs = 1;
	r->text_len = text_len;
	memcpy(r->id, id, id_len);
	r->text = r->id + id_len;
	if (text)
		memcpy(r->text, text, text_len);
	r->text[text_len] = '\0';
	return r;
}

struct own_rec *own_rec_ref(struct own_rec *r)
{
	r->refs++;
	return r;
}

void own_rec_unref(void *rec)
{
	struct own_rec *r = rec;

	if (--r->refs)
		return;
	explicit_bzero(r->text, r->text_len);
	free(r);
}

static struct own_topic *declare(struct bus *b, enum bus_topic topic)
{
	struct own_topic *own = b->own[topic];

	assert(bus_topics[topic].owners & (1u << b->self));
	if (own) {
		/* What Redis has now is somebody else's. */
		own->full_needed |= own->released;
		own->released = false;
		return own;
	}
	own = calloc(1, sizeof(*own));
	if (!own)
		return NULL;
	own->bus = b;
	own->topic = topic;
	own->full_needed = true;
	own->seq = 1;
	hmap_init(&own->records, own_rec_unref);
	hmap_init(&own->dirty, NULL);
	list_init(&own->waiters);
	b->own[topic] = own;
	bus_soon(b);
	return own;
}

static void changed(struct own_topic *own, const char *id)
{
	if (hmap_set_str(&own->dirty, id, &mark))
		own->full_needed = true;
	own->seq++;
	bus_soon(own->bus);
}

/* Puts one record into the desired set; takes over json. Tells nothing when the text is the same.
 */
static int set_record(struct own_topic *own, struct hmap *into, const char *id, cJSON *json)
{
	char *text = json ? json_format(json) : NULL;
	struct own_rec *r = NULL, *old = hmap_find_str(&own->records, id);
	int err = 0;

	cJSON_Delete(json);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > BUS_RECORD_MAX || strlen(id) >= 512)
		err = -E2BIG;
	else if (old && !strcmp(old->text, text))
		r = into == &own->records ? NULL : own_rec_ref(old);
	else if (!(r = own_rec_new(id, text)))
		err = -ENOMEM;
	explicit_bzero(text, strlen(text));
	free(text);
	if (err || !r)
		return err;
	if (hmap_set_str(into, id, r)) {
		own_rec_unref(r);
		return -ENOMEM;
	}
	if (r != old)
		changed(own, id);
	return 0;
}

int bus_state_set(struct bus *b, enum bus_topic topic, const char *id, cJSON *record)
{
	struct own_topic *own = b->closing ? NULL : declare(b, topic);

	if (!own) {
		cJSON_Delete(record);
		return b->closing ? -ESHUTDOWN : -ENOMEM;
	}
	return set_record(own, &own->records, id, record);
}

int bus_state_del(struct bus *b, enum bus_topic topic, const char *id)
{
	struct own_topic *own = b->closing ? NULL : declare(b, topic);

	if (!own)
		return b->closing ? -ESHUTDOWN : -ENOMEM;
	if (!hmap_find_str(&own->records, id))
		return 0;
	changed(own, id); /* before the removal: id may be the key itself */
	hmap_remove_str(&own->records, id);
	return 0;
}

int bus_state_replace(struct bus *b, enum bus_topic topic, const char *const *ids,
	cJSON *const *records, size_t n)
{
	struct own_topic *own = b->closing ? NULL : declare(b, topic);
	struct hmap next;
	int err = own ? 0 : b->closing ? -ESHUTDOWN : -ENOMEM;

	hmap_init(&next, own_rec_unref);
	for (size_t i = 0; i < n; i++) {
		int failed = 0;

		if (own)
			failed = set_record(own, &next, ids[i], records[i]);
		else
			cJSON_Delete(records[i]);
		if (failed && !err) {
			log_error("bus: record left out topic=%s id=%s error=%s",
				bus_topic_name(topic), ids[i], strerror(-failed));
			err = failed;
		}
	}
	if (!own)
		return err;
	if (err == -ENOMEM) {
		hmap_fini(&next);
		own->full_needed = true; /* the old set stands; ids noted as dirty are harmless */
		return err;
	}
	hmap_foreach (&own->records, it) {
		if (!hmap_find(&next, it.key, it.len))
			changed(own, it.key);
	}
	hmap_fini(&own->records);
	own->records = next;
	return err;
}

uint64_t bus_state_gen(const struct bus *b, enum bus_topic topic)
{
	return b->own[topic] ? b->own[topic]->stamp.gen : 0;
}

bool bus_state_mentions(const struct bus *b, enum rec_type type, const char *text)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		if (!b->own[t] || bus_topics[t].record != type)
			continue;
		hmap_foreach (&b->own[t]->records, it) {
			if (strstr(((struct own_rec *)it.value)->text, text))
				return true;
		}
	}
	return false;
}

/* ---- waiting for Redis ---- */

static void tell_waiters(struct own_topic *own, bool cancel)
{
	list_foreach_safe (&own->waiters, it) {
		struct waiter *w = container_of(it, struct waiter, node);

		if (w->seq > own->done_seq && !cancel)
			continue;
		list_remove(&w->node);
		w->on_done(w->arg, w->seq <= own->done_seq ? 0 : -ECANCELED, own->stamp.gen);
		free(w);
	}
}

int bus_state_flush(struct bus *b, enum bus_topic topic,
	void (*on_done)(void *arg, int status, uint64_t gen), void *arg)
{
	struct own_topic *own = b->closing ? NULL : declare(b, topic);
	struct waiter *w;

	if (!own)
		return b->closing ? -ESHUTDOWN : -ENOMEM;
	w = malloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct waiter){ .seq = own->seq, .on_done = on_done, .arg = arg };
	list_add(&own->waiters, &w->node);
	bus_soon(b);
	return 0;
}

void bus_published(struct own_topic *own, int status, uint64_t seq)
{
	if (status) {
		own->full_needed = true;
		own->bus->counters.publish_errors++;
		own->held = own->failures++ > 0 && status != -ENOTCONN;
	} else {
		own->failures = 0;
		own->held = false;
		if (seq > own->done_seq)
			own->done_seq = seq;
	}
	if (!own->bus->closing)
		bus_soon(own->bus);
}

void bus_state_on_soon(struct bus *b)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		if (!b->own[t])
			continue;
		tell_waiters(b->own[t], false);
		bus_publish(b->own[t]);
	}
}

/* ---- comparison with Redis ---- */

static void on_gens(void *arg, const redisReply *r)
{
	struct bus *b = arg;

	b->own_checking = false;
	if (!r || r->type != REDIS_REPLY_ARRAY)
		return;
	for (int t = 0; t < BUS_TOPICS; t++) {
		struct own_topic *own = b->own[t];
		const char *stored = "";

		if (!own || own->pub || own->released)
			continue;
		for (size_t i = 0; i + 1 < r->elements; i += 2) {
			if (!strcmp(r->element[i]->str, bus_topics[t].name))
				stored = r->element[i + 1]->str;
		}
		if (!strcmp(stored, own->stored) && !strcmp(b->epoch, own->epoch))
			continue;
		if (own->stored[0] && !own->full_needed)
			log_notice(
				"bus: redis has another state, publishing again topic=%s gen=%llu",
				bus_topics[t].name, (unsigned long long)own->stamp.gen);
		own->full_needed = true;
		bus_soon(b);
	}
}

/* Records that are not there, or too many, though the generation is ours. */
static void on_count(void *arg, const redisReply *r)
{
	struct own_topic *own = arg;
	uint64_t asked = own->counted_gen;

	own->counted_gen = 0;
	if (!r || r->type != REDIS_REPLY_INTEGER || own->released || own->stamp.gen != asked ||
		own->stamp.count < 0 || r->integer == own->stamp.count)
		return;
	log_error("bus: redis has lost records, publishing again topic=%s records=%lld of=%lld",
		bus_topics[own->topic].name, r->integer, (long long)own->stamp.count);
	own->full_needed = true;
	bus_soon(own->bus);
}

static void ask_count(struct own_topic *own)
{
	struct bus *b = own->bus;
	char key[BUS_NAME_MAX];

	if (own->pub || own->released || own->counted_gen || !own->stored[0])
		return;
	snprintf(key, sizeof(key), "culvert:state:%s:%s", bus_topics[own->topic].name,
		bus_name(b, b->self));
	own->counted_gen = own->stamp.gen;
	if (bus_conn_send(&b->cmd, on_count, own, "HLEN", key, NULL))
		own->counted_gen = 0;
}

static void on_epoch(void *arg, const redisReply *r)
{
	struct bus *b = arg;

	b->epoch[0] = '\0';
	if (r && r->type == REDIS_REPLY_STRING)
		snprintf(b->epoch, sizeof(b->epoch), "%s", r->str);
}

void bus_state_check(struct bus *b)
{
	char epoch[BUS_NAME_MAX], gens[BUS_NAME_MAX];
	bool any = false;

	for (int t = 0; t < BUS_TOPICS; t++) {
		if (!b->own[t])
			continue;
		any = true;
		b->own[t]->held = false;
	}
	if (!any || b->own_checking || !b->cmd.up)
		return;
	snprintf(epoch, sizeof(epoch), "culvert:epoch:%s", bus_name(b, b->self));
	snprintf(gens, sizeof(gens), "culvert:gens:%s", bus_name(b, b->self));
	b->own_checking = true;
	if (bus_conn_send(&b->cmd, on_epoch, b, "GET", epoch, NULL) ||
		bus_conn_send(&b->cmd, on_gens, b, "HGETALL", gens, NULL))
		b->own_checking = false;
	for (int t = 0; t < BUS_TOPICS; t++) {
		if (b->own[t])
			ask_count(b->own[t]);
	}
	bus_soon(b);
}

void bus_state_on_up(struct bus *b)
{
	bus_state_check(b);
	bus_soon(b);
}

void bus_state_cancel(struct bus *b)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		if (b->own[t])
			tell_waiters(b->own[t], true);
	}
}

void bus_state_release(struct bus *b)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		struct own_topic *own = b->own[t];

		if (!own || own->released)
			continue;
		own->released = true;
		hmap_clear(&own->records);
		hmap_clear(&own->dirty);
	}
	bus_state_cancel(b);
}

void bus_state_set_fence(
	struct bus *b, uint64_t number, void (*on_fenced)(void *arg, uint64_t in_force), void *arg)
{
	b->fence = number;
	b->on_fenced = on_fenced;
	b->fenced_arg = arg;
}

void bus_state_fenced(struct bus *b, uint64_t in_force)
{
	/* Another topic's answer may have told it, or it was asked before the fence of now. */
	if (in_force <= b->fence || b->closing)
		return;
	log_notice("bus: another process publishes now fence=%llu in_force=%llu",
		(unsigned long long)b->fence, (unsigned long long)in_force);
	bus_state_release(b);
	b->on_fenced(b->fenced_arg, in_force);
}

void bus_state_fini(struct bus *b)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		struct own_topic *own = b->own[t];

		if (!own)
			continue;
		hmap_fini(&own->records);
		hmap_fini(&own->dirty);
		free(own);
	}
}
