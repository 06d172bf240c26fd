/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_mirror.h"
#include "common/log.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANNOUNCEMENT_MAX (1u << 20)

struct subscriber {
	struct list node;
	const struct bus_topic_ops *ops;
	void *arg;
};

static void free_text(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void mirror_rec_free(void *rec)
{
	struct mirror_rec *r = rec;

	free_text(r->text);
	free_text(r->bad);
	free(r);
}

static void free_shadow_text(void *text)
{
	free_text(text);
}

struct mirror *bus_mirror_get(struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	struct mirror *m = b->mirrors[topic][owner];

	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->bus = b;
	m->topic = topic;
	m->owner = owner;
	list_init(&m->subscribers);
	list_init(&m->pending);
	hmap_init(&m->records, mirror_rec_free);
	hmap_init(&m->shadow, free_shadow_text);
	b->mirrors[topic][owner] = m;
	return m;
}

/* ---- delivery ---- */

/* Decodes a record; a record that claims another id than its field is unusable. -ENOMEM, or -EINVAL
 * and why. */
static int decode(const struct mirror *m, const char *id, const char *text, void **out, char *err,
	size_t err_len)
{
	enum rec_type type = bus_topics[m->topic].record;
	cJSON *json;
	int ret = json_read(text, strlen(text), &json);
	const cJSON *own_id = json_get(json, "id");
	void *rec = calloc(1, rec_size(type));

	snprintf(err, err_len, "not JSON");
	if (!rec)
		ret = -ENOMEM;
	if (!ret && cJSON_IsString(own_id) && strcmp(own_id->valuestring, id)) {
		snprintf(err, err_len, "another id than its key");
		ret = -EINVAL;
	}
	if (!ret)
		ret = codec_decode(type, CODEC_LENIENT, json, rec, err, err_len);
	cJSON_Delete(json);
	if (ret) {
		free(rec);
		rec = NULL;
	}
	*out = rec;
	return ret;
}

/* Have all taken it? */
static bool deliver(const struct mirror *m, const char *id, const void *rec)
{
	m->bus->record_lost = false;
	list_foreach_safe (&((struct mirror *)(uintptr_t)m)->subscribers, it) {
		const struct subscriber *s = container_of(it, struct subscriber, node);

		s->ops->on_record(s->arg, m->topic, m->owner, id, rec);
	}
	return !m->bus->record_lost;
}

void bus_record_lost(struct bus *b)
{
	b->record_lost = true;
}

static void free_decoded(const struct mirror *m, void *rec)
{
	rec_fini(bus_topics[m->topic].record, rec);
	free(rec);
}

static void set_unusable(
	struct mirror *m, struct mirror_rec *r, const char *id, const char *text, const char *why)
{
	char *copy = strdup(text);

	if (!copy) {
		m->lost = true;
		return;
	}
	m->bus->counters.unusable++;
	m->unusable += !r->bad;
	free_text(r->bad);
	r->bad = copy;
	log_warning("bus: record unusable, %s topic=%s owner=%s id=%s why=%s",
		r->text ? "keeping the last good one" : "left out", bus_topics[m->topic].name,
		bus_daemon_name(m->owner), id, why);
}

static struct mirror_rec *get_rec(struct mirror *m, const char *id)
{
	struct mirror_rec *r = hmap_find_str(&m->records, id);

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (r && hmap_set_str(&m->records, id, r)) {
		free(r);
		r = NULL;
	}
	return r;
}

static void clear_bad(struct mirror *m, struct mirror_rec *r)
{
	m->unusable -= r->bad != NULL;
	free_text(r->bad);
	r->bad = NULL;
}

/* A version that is usable and new. Takes over text. */
static void take(struct mirror *m, struct mirror_rec *r, const char *id, char *text, void *rec)
{
	const struct rec_head *head = rec;

	free_text(r->text);
	r->text = text;
	clear_bad(m, r);
	m->changed = true;
	m->bus->counters.ignored_fields += head->ignored;
	m->bus->counters.closed += head->closed;
	r->lost = !deliver(m, id, rec);
	m->lost |= r->lost;
}

void mirror_set(struct mirror *m, const char *id, const char *text)
{
	struct mirror_rec *r = get_rec(m, id);
	char why[160], *copy;
	void *rec;
	int err;

	if (r && r->bad && !strcmp(r->bad, text))
		return;
	if (r && r->text && !r->lost && !strcmp(r->text, text)) {
		clear_bad(m, r);
		return;
	}
	copy = r ? strdup(text) : NULL;
	err = copy ? decode(m, id, text, &rec, why, sizeof(why)) : -ENOMEM;
	if (err) {
		free_text(copy);
		if (err == -ENOMEM)
			m->lost = true;
		else
			set_unusable(m, r, id, text, why);
		return;
	}
	take(m, r, id, copy, rec);
	free_decoded(m, rec);
}

void mirror_remove(struct mirror *m, const char *id)
{
	struct mirror_rec *r = hmap_find_str(&m->records, id);
	char *copy = r ? strdup(id) : NULL; /* id may be the map's own key */
	char *text;

	m->lost |= r && !copy;
	if (!copy)
		return;
	text = r->text;
	clear_bad(m, r);
	r->text = NULL; /* so that nobody finds it any more */
	if (text)
		m->changed = true;
	if (text && !deliver(m, copy, NULL)) {
		r->text = text; /* it goes with the next read */
		r->lost = m->lost = true;
	} else {
		free_text(text);
		mirror_rec_free(hmap_take_str(&m->records, copy));
	}
	free(copy);
}

bool mirror_guards(const struct mirror *m, size_t removals)
{
	return removals > 10 && removals * 2 > m->records.count;
}

/* A change was not taken: the state is read again in a moment. */
static void read_lost(struct mirror *m)
{
	if (!m->failed)
		log_error("bus: no memory for a change, it is read again topic=%s owner=%s",
			bus_topics[m->topic].name, bus_daemon_name(m->owner));
	m->lost = m->failed = true;
	m->current = false;
	bus_beat_soon(m->bus);
}

static void end_batch(struct mirror *m)
{
	m->bus->record_lost = false;
	list_foreach_safe (&m->subscribers, it) {
		const struct subscriber *s = container_of(it, struct subscriber, node);

		if (s->ops->on_batch_end)
			s->ops->on_batch_end(s->arg, m->topic, m->owner, m->stamp.gen);
	}
	if (m->bus->record_lost)
		read_lost(m);
}

void mirror_finish(struct mirror *m, const char *epoch, const struct stamp *stamp)
{
	bool tell = m->changed || !m->known || !m->current || !stamp_equal(&m->stamp, stamp);

	if (m->lost) {
		read_lost(m);
		return;
	}
	if (m->changed || !m->known || strcmp(m->epoch, epoch) || !stamp_equal(&m->stamp, stamp))
		bus_disk_changed(m->bus);
	snprintf(m->epoch, sizeof(m->epoch), "%s", epoch);
	m->stamp = *stamp;
	m->known = true;
	m->current = m->live && m->bus->cmd.up;
	m->absent = false;
	m->changed = m->failed = false;
	if (tell)
		end_batch(m);
}

int mirror_restore(struct mirror *m, const char *id, size_t id_len, const char *text, size_t len)
{
	struct mirror_rec *r = calloc(1, sizeof(*r));

	if (r)
		r->text = strndup(text, len);
	if (!r || !r->text || hmap_set(&m->records, id, id_len, r)) {
		if (r)
			mirror_rec_free(r);
		return -ENOMEM;
	}
	return 0;
}

/* ---- announcements ---- */

void announcement_free(struct announcement *a)
{
	cJSON_Delete(a->json);
	free(a);
}

static bool all_strings(const cJSON *array)
{
	const cJSON *v;

	cJSON_ArrayForEach (v, array) {
		if (!cJSON_IsString(v))
			return false;
	}
	return true;
}

static bool read_announcement(struct announcement *a)
{
	const cJSON *prev = json_get(a->json, "prev"), *del = json_get(a->json, "del");
	const cJSON *set = json_get(a->json, "set"), *ids = json_get(a->json, "ids");
	const char *epoch = json_text(a->json, "epoch");

	if (!epoch || strlen(epoch) >= sizeof(a->epoch) || !stamp_from_json(a->json, &a->now))
		return false;
	if ((set && !cJSON_IsObject(set)) || (del && (!cJSON_IsArray(del) || !all_strings(del))) ||
		(ids && (!cJSON_IsArray(ids) || !all_strings(ids))))
		return false;
	memcpy(a->epoch, epoch, strlen(epoch) + 1);
	a->has_prev = stamp_from_json(prev, &a->prev);
	a->full = cJSON_IsTrue(json_get(a->json, "full"));
	a->has_values = set && del && !a->full;
	return true;
}

static void on_message(void *arg, const char *channel, const char *text, size_t len)
{
	struct mirror *m = arg;
	struct announcement *a = calloc(1, sizeof(*a));

	(void)channel;
	if (!a) {
		m->bus->check[m->owner] = true;
		bus_soon(m->bus);
		return;
	}
	a->size = len;
	a->json = len <= ANNOUNCEMENT_MAX ? json_parse(text, len) : NULL;
	if (!a->json || !read_announcement(a)) {
		m->bus->counters.bad_messages++;
		log_warning("bus: announcement unusable topic=%s owner=%s",
			bus_topics[m->topic].name, bus_daemon_name(m->owner));
		announcement_free(a);
		m->bus->check[m->owner] = true;
		bus_soon(m->bus);
		return;
	}
	bus_sync_announced(m, a);
}

static void on_ready(void *arg)
{
	bus_sync_live(arg);
}

/* ---- the daemon's side ---- */

/* Tells a new subscriber what is there. */
static void replay(struct mirror *m, const struct subscriber *s)
{
	char why[160];
	void *rec;

	hmap_foreach (&m->records, it) {
		struct mirror_rec *r = it.value;
		int err = r->text ? decode(m, it.key, r->text, &rec, why, sizeof(why)) : 0;

		if (!r->text)
			continue;
		if (err == -ENOMEM) {
			m->lost = r->lost = true;
			continue;
		}
		if (err) {
			m->bus->counters.unusable++;
			log_warning("bus: kept record unusable topic=%s owner=%s id=%s why=%s",
				bus_topics[m->topic].name, bus_daemon_name(m->owner), it.key, why);
			continue;
		}
		m->bus->record_lost = false;
		s->ops->on_record(s->arg, m->topic, m->owner, it.key, rec);
		r->lost |= m->bus->record_lost;
		m->lost |= r->lost;
		free_decoded(m, rec);
	}
	m->bus->record_lost = false;
	if (s->ops->on_batch_end)
		s->ops->on_batch_end(s->arg, m->topic, m->owner, m->stamp.gen);
	if (m->lost || m->bus->record_lost)
		read_lost(m);
}

int bus_subscribe(struct bus *b, enum bus_topic topic, enum bus_daemon owner,
	const struct bus_topic_ops *ops, void *arg)
{
	struct mirror *m = bus_mirror_get(b, topic, owner);
	struct subscriber *s = malloc(sizeof(*s));
	struct bus_channel ch = { .on_message = on_message, .on_ready = on_ready, .arg = m };
	char name[BUS_NAME_MAX];
	int err;

	assert((bus_topics[topic].readers & (1u << b->self)) &&
		(bus_topics[topic].owners & (1u << owner)));
	if (!m || !s) {
		free(s);
		return -ENOMEM;
	}
	*s = (struct subscriber){ .ops = ops, .arg = arg };
	snprintf(name, sizeof(name), "culvert:state:%s:%s", bus_topics[topic].name,
		bus_name(b, owner));
	err = bus_channel_add(b, name, &ch);
	if (err && err != -EEXIST) {
		free(s);
		return err;
	}
	list_add(&m->subscribers, &s->node);
	if (m->known)
		replay(m, s);
	return 0;
}

bool bus_topic_is_known(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	return b->mirrors[topic][owner] && b->mirrors[topic][owner]->known;
}

bool bus_topic_is_current(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	return b->mirrors[topic][owner] && b->mirrors[topic][owner]->current;
}

/* A topic that a former release has followed is only on the disk. */
static bool is_followed(const struct mirror *m)
{
	return m && !list_is_empty(&m->subscribers);
}

bool bus_topic_is_answered(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	const struct mirror *m = b->mirrors[topic][owner];

	return !is_followed(m) || m->current || m->absent;
}

uint64_t bus_topic_gen(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	return b->mirrors[topic][owner] ? b->mirrors[topic][owner]->stamp.gen : 0;
}

bool bus_topic_is_applied(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	const struct mirror *m = b->mirrors[topic][owner];

	return !is_followed(m) || m->applied == m->stamp.gen;
}

void bus_topic_applied(struct bus *b, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct mirror *m = b->mirrors[topic][owner];

	if (!m || m->applied == gen)
		return;
	m->applied = gen;
	b->status_due = true;
	bus_soon(b);
}

const char *bus_topic_find(
	const struct bus *b, enum bus_topic topic, enum bus_daemon owner, const char *id)
{
	const struct mirror *m = b->mirrors[topic][owner];
	const struct mirror_rec *r = m ? hmap_find_str(&m->records, id) : NULL;

	return r ? r->text : NULL;
}

static void report_one(const struct mirror *m, cJSON *applied, cJSON *mirrors)
{
	char name[BUS_NAME_MAX];
	cJSON *one = cJSON_CreateObject();

	snprintf(
		name, sizeof(name), "%s:%s", bus_topics[m->topic].name, bus_name(m->bus, m->owner));
	if (m->applied)
		cJSON_AddNumberToObject(applied, name, (double)m->applied);
	cJSON_AddNumberToObject(one, "gen", (double)m->stamp.gen);
	cJSON_AddNumberToObject(one, "records", (double)m->records.count);
	cJSON_AddBoolToObject(one, "current", m->current);
	if (m->unusable)
		cJSON_AddNumberToObject(one, "unusable", (double)m->unusable);
	json_add(mirrors, name, one);
}

void bus_mirror_report(const struct bus *b, cJSON *status)
{
	cJSON *applied = cJSON_AddObjectToObject(status, "applied");
	cJSON *mirrors = cJSON_AddObjectToObject(status, "topics");

	for (int t = 0; t < BUS_TOPICS; t++) {
		for (int d = 0; d < BUS_DAEMONS; d++) {
			const struct mirror *m = b->mirrors[t][d];

			if (m && !list_is_empty(&m->subscribers))
				report_one(m, applied, mirrors);
		}
	}
}

static void free_mirror(struct mirror *m)
{
	list_foreach_safe (&m->subscribers, it)
		free(container_of(it, struct subscriber, node));
	list_foreach_safe (&m->pending, it)
		announcement_free(container_of(it, struct announcement, node));
	if (m->fetch)
		announcement_free(m->fetch);
	hmap_fini(&m->records);
	hmap_fini(&m->shadow);
	free(m);
}

void bus_mirror_fini(struct bus *b)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		for (int d = 0; d < BUS_DAEMONS; d++) {
			if (b->mirrors[t][d])
				free_mirror(b->mirrors[t][d]);
		}
	}
}
