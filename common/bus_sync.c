/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_mirror.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

#define SCAN_COUNT	"100"
#define SETTLE_MS	1000
#define PENDING_BYTES	(4u << 20)
#define SHADOW_RECORDS	1000000u
#define SHADOW_BYTES	(256u << 20)

/*
 * How a mirror follows Redis. One mirror at a time reads (bus->reader): the generation, the hash in
 * slices, the generation again. Announcements that arrive meanwhile are kept; applied in order on the
 * shadow they make it a consistent state, because each sets whole records. Then the shadow is
 * compared with the mirror, in slices of the loop.
 */

/* The argument of a command of one read; a reply for an older read is dropped. */
struct read_ref {
	struct mirror *m;
	unsigned run;
};

static void drain(struct mirror *m);
static void next_read(struct bus *b);
static void handle(struct mirror *m, struct announcement *a);

static const char *topic_of(const struct mirror *m)
{
	return bus_topics[m->topic].name;
}

static void drop_pending(struct mirror *m)
{
	list_foreach_safe (&m->pending, it) {
		list_remove(it);
		announcement_free(container_of(it, struct announcement, node));
	}
	m->pending_bytes = 0;
	m->pending_lost = false;
}

static void end_fetch(struct mirror *m)
{
	if (m->fetch)
		announcement_free(m->fetch);
	m->fetch = NULL;
}

/* Leaves the reader's place; what was read is dropped. */
static void leave(struct mirror *m)
{
	m->run++;
	m->phase = MIRROR_IDLE;
	hmap_clear(&m->shadow);
	m->shadow_bytes = 0;
	end_fetch(m);
	if (m->bus->reader == m) {
		m->bus->reader = NULL;
		timer_stop(&m->bus->work);
	}
}

static void want(struct mirror *m)
{
	m->wanted = true;
	next_read(m->bus);
}

static void read_again(struct mirror *m)
{
	m->bus->counters.rereads++;
	leave(m);
	drop_pending(m);
	m->wanted = true;
	bus_soon(m->bus);
}

/* The state cannot be read: the last good one stays until something changes. */
static void give_up(struct mirror *m, const char *why)
{
	if (!m->failed)
		log_error("bus: state unreadable, keeping the last good one topic=%s owner=%s why=%s",
			topic_of(m), bus_daemon_name(m->owner), why);
	m->failed = true;
	m->current = false;
	leave(m);
	drop_pending(m);
	bus_soon(m->bus);
}

static bool ask(struct mirror *m, void (*on_reply)(void *arg, const redisReply *r), const char *verb,
	const char *key, const char *a, const char *b, const char *c)
{
	struct read_ref *ref = malloc(sizeof(*ref));

	if (!ref)
		return false;
	*ref = (struct read_ref){ m, m->run };
	if (bus_conn_send(&m->bus->cmd, on_reply, ref, verb, key, a, b, c, NULL)) {
		free(ref);
		return false;
	}
	return true;
}

/* The mirror a reply is for; NULL when the read is over or the connection was lost. */
static struct mirror *take_ref(void *arg, const redisReply *r)
{
	struct read_ref ref = *(struct read_ref *)arg;

	free(arg);
	if (!r || ref.run != ref.m->run || ref.m->bus->closing)
		return NULL;
	return ref.m;
}

static bool ask_generation(struct mirror *m, void (*on_epoch)(void *arg, const redisReply *r),
	void (*on_gen)(void *arg, const redisReply *r))
{
	char key[BUS_NAME_MAX];

	snprintf(key, sizeof(key), "culvert:epoch:%s", bus_daemon_name(m->owner));
	if (!ask(m, on_epoch, "GET", key, NULL, NULL, NULL))
		return false;
	snprintf(key, sizeof(key), "culvert:gens:%s", bus_daemon_name(m->owner));
	return ask(m, on_gen, "HGET", key, topic_of(m), NULL, NULL);
}

static bool same_state(const struct mirror *m, const char *epoch, const struct stamp *s)
{
	return m->known && !strcmp(m->epoch, epoch) && stamp_equal(&m->stamp, s);
}

/* ---- applying the shadow ---- */

static void applied(struct mirror *m)
{
	struct bus *b = m->bus;
	struct stamp target = m->target;
	char epoch[33];

	memcpy(epoch, m->target_epoch, sizeof(epoch));
	leave(m);
	mirror_finish(m, epoch, &target);
	if (b->closing)
		return;
	drain(m);
	next_read(b);
}

static void work_set(struct mirror *m, uint64_t until)
{
	while (hmap_next(&m->shadow, &m->cursor)) {
		mirror_set(m, m->cursor.key, m->cursor.value);
		if (uv_hrtime() > until || m->bus->closing)
			return;
	}
	m->phase = MIRROR_REMOVING;
	m->cursor = (struct hmap_iter){ 0 };
}

static void work_remove(struct mirror *m, uint64_t until)
{
	while (hmap_next(&m->records, &m->cursor)) {
		if (!hmap_find(&m->shadow, m->cursor.key, m->cursor.len))
			mirror_remove(m, m->cursor.key);
		if (uv_hrtime() > until || m->bus->closing)
			return;
	}
	applied(m);
}

static void on_work(struct timer *t)
{
	struct bus *b = t->data;
	struct mirror *m = b->reader;
	uint64_t until = uv_hrtime() + BUS_SLICE_NS;

	if (!m || b->closing)
		return;
	if (m->phase == MIRROR_SETTLING) {
		read_again(m);
		return;
	}
	if (m->phase == MIRROR_SETTING)
		work_set(m, until);
	if (m->phase == MIRROR_REMOVING && uv_hrtime() <= until && !b->closing)
		work_remove(m, until);
	if (b->reader == m && (m->phase == MIRROR_SETTING || m->phase == MIRROR_REMOVING))
		timer_start(&b->work, 0, 0);
}

static void refuse(struct mirror *m, size_t removals)
{
	m->bus->counters.refused++;
	m->refused = m->target;
	memcpy(m->refused_epoch, m->target_epoch, sizeof(m->refused_epoch));
	log_error("bus: mass removal refused topic=%s owner=%s removed=%zu of=%zu", topic_of(m),
		bus_daemon_name(m->owner), removals, m->records.count);
	m->failed = true;
	give_up(m, "mass removal");
}

static void begin_apply(struct mirror *m)
{
	size_t removals = 0;
	bool replaced = m->target.full > 0 &&
			(strcmp(m->target_epoch, m->epoch) || m->target.full > m->stamp.gen);

	hmap_foreach (&m->records, it)
		removals += !hmap_find(&m->shadow, it.key, it.len);
	if (!replaced && mirror_guards(m, removals)) {
		refuse(m, removals);
		return;
	}
	m->phase = MIRROR_SETTING;
	m->cursor = (struct hmap_iter){ 0 };
	timer_start(&m->bus->work, 0, 0);
}

/* ---- reading ---- */

static bool shadow_set(struct mirror *m, const char *id, const char *text)
{
	char *copy = strdup(text);

	if (!copy || hmap_set_str(&m->shadow, id, copy)) {
		free(copy);
		return false;
	}
	m->shadow_bytes += strlen(text);
	return true;
}

static bool overlay(struct mirror *m, const struct announcement *a)
{
	const cJSON *v;
	bool ok = true;

	cJSON_ArrayForEach (v, json_get(a->json, "set")) {
		char *text = json_format(v);

		ok = ok && text && shadow_set(m, v->string, text);
		cJSON_free(text);
	}
	cJSON_ArrayForEach (v, json_get(a->json, "del"))
		hmap_remove_str(&m->shadow, v->valuestring);
	return ok;
}

/* Brings the shadow from `target` to `after` with what was announced meanwhile. */
static void settle(struct mirror *m)
{
	while (!stamp_equal(&m->target, &m->after)) {
		struct announcement *a = container_of(m->pending.next, struct announcement, node);
		bool old, usable;

		if (m->pending_lost) {
			read_again(m);
			return;
		}
		if (list_is_empty(&m->pending)) {
			m->phase = MIRROR_SETTLING;
			timer_start(&m->bus->work, SETTLE_MS, 0);
			return;
		}
		old = !strcmp(a->epoch, m->target_epoch) && a->now.gen <= m->target.gen;
		usable = !strcmp(a->epoch, m->target_epoch) && a->has_values && a->has_prev &&
			 stamp_equal(&a->prev, &m->target);
		list_remove(&a->node);
		m->pending_bytes -= a->size;
		if (usable && overlay(m, a))
			m->target = a->now;
		else if (!old)
			m->pending_lost = true;
		announcement_free(a);
	}
	m->target.full = m->after.full;
	begin_apply(m);
}

static void on_after_gen(void *arg, const redisReply *r)
{
	struct mirror *m = take_ref(arg, r);

	if (!m)
		return;
	if (r->type != REDIS_REPLY_STRING || !stamp_parse(r->str, r->len, &m->after))
		read_again(m);
	else
		settle(m);
}

static void on_after_epoch(void *arg, const redisReply *r)
{
	struct mirror *m = take_ref(arg, r);

	if (m && (r->type != REDIS_REPLY_STRING || strcmp(r->str, m->target_epoch)))
		read_again(m);
}

static bool keep_slice(struct mirror *m, const redisReply *pairs)
{
	for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
		const redisReply *id = pairs->element[i], *v = pairs->element[i + 1];
		const struct mirror_rec *old;
		const char *text = v->str;

		if (id->type != REDIS_REPLY_STRING || v->type != REDIS_REPLY_STRING)
			return false;
		if (strlen(id->str) != id->len || id->len >= 512) {
			m->bus->counters.bad_messages++;
			continue;
		}
		if (v->len > BUS_RECORD_MAX || strlen(v->str) != v->len) {
			old = hmap_find(&m->records, id->str, id->len);
			text = old && old->text ? old->text : "";
			m->bus->counters.bad_messages++;
		}
		if (!shadow_set(m, id->str, text))
			return false;
	}
	return m->shadow_bytes <= SHADOW_BYTES && m->shadow.count <= SHADOW_RECORDS;
}

static void on_slice(void *arg, const redisReply *r);

static bool scan(struct mirror *m, const char *cursor)
{
	char key[BUS_NAME_MAX];

	snprintf(key, sizeof(key), "culvert:state:%s:%s", topic_of(m), bus_daemon_name(m->owner));
	return ask(m, on_slice, "HSCAN", key, cursor, "COUNT", SCAN_COUNT);
}

static void on_slice(void *arg, const redisReply *r)
{
	struct mirror *m = take_ref(arg, r);

	if (!m)
		return;
	if (r->type == REDIS_REPLY_ERROR) {
		give_up(m, r->str);
		return;
	}
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
		r->element[0]->type != REDIS_REPLY_STRING ||
		r->element[1]->type != REDIS_REPLY_ARRAY || !keep_slice(m, r->element[1])) {
		give_up(m, "not what HSCAN answers, or too large");
		return;
	}
	if (strcmp(r->element[0]->str, "0") ? !scan(m, r->element[0]->str) :
					      !ask_generation(m, on_after_epoch, on_after_gen))
		read_again(m);
}

static void on_first_gen(void *arg, const redisReply *r)
{
	struct mirror *m = take_ref(arg, r);

	if (!m)
		return;
	if (r->type == REDIS_REPLY_NIL) {
		m->current = false; /* unknown: the last good state stays */
		leave(m);
		bus_soon(m->bus);
	} else if (r->type == REDIS_REPLY_ERROR) {
		give_up(m, r->str);
	} else if (r->type != REDIS_REPLY_STRING || !stamp_parse(r->str, r->len, &m->target)) {
		give_up(m, "generation unreadable");
	}
}

static void on_first_epoch(void *arg, const redisReply *r)
{
	struct mirror *m = take_ref(arg, r);

	if (!m)
		return;
	if (r->type == REDIS_REPLY_STRING && r->len < sizeof(m->target_epoch))
		memcpy(m->target_epoch, r->str, r->len + 1);
	else
		give_up(m, r->type == REDIS_REPLY_ERROR ? r->str : "epoch missing");
}

static void start_read(struct mirror *m)
{
	struct bus *b = m->bus;

	m->wanted = false;
	m->phase = MIRROR_READING;
	m->run++;
	b->reader = m;
	drop_pending(m);
	if (!ask_generation(m, on_first_epoch, on_first_gen) || !scan(m, "0")) {
		leave(m);
		m->wanted = true; /* the connection's end brings the next check */
	}
}

static void next_read(struct bus *b)
{
	const int all = BUS_TOPICS * BUS_DAEMONS;

	if (b->reader || !b->cmd.up || b->closing)
		return;
	for (int i = 1; i <= all; i++) {
		int at = (b->last_read + i) % all;
		struct mirror *m = b->mirrors[at / BUS_DAEMONS][at % BUS_DAEMONS];

		if (m && m->wanted && m->live) {
			b->last_read = at;
			start_read(m);
			return;
		}
	}
}

/* ---- fetching announced ids ---- */

static void apply_fetched(struct mirror *m)
{
	struct announcement *a = m->fetch;
	const cJSON *v;

	m->fetch = NULL;
	hmap_foreach (&m->shadow, it)
		mirror_set(m, it.key, it.value);
	cJSON_ArrayForEach (v, json_get(a->json, "del"))
		mirror_remove(m, v->valuestring);
	memcpy(m->target_epoch, a->epoch, sizeof(a->epoch));
	m->target = a->now;
	announcement_free(a);
	applied(m);
}

static void on_fetch_gen(void *arg, const redisReply *r)
{
	struct mirror *m = take_ref(arg, r);
	struct stamp now;

	if (!m)
		return;
	if (r->type == REDIS_REPLY_STRING && stamp_parse(r->str, r->len, &now) &&
		stamp_equal(&now, &m->fetch->now))
		apply_fetched(m);
	else
		read_again(m);
}

static void on_fetch_epoch(void *arg, const redisReply *r)
{
	struct mirror *m = take_ref(arg, r);

	if (m && (r->type != REDIS_REPLY_STRING || strcmp(r->str, m->fetch->epoch)))
		read_again(m);
}

static void on_fetched(void *arg, const redisReply *r)
{
	struct mirror *m = take_ref(arg, r);
	const cJSON *id;
	size_t i = 0;
	bool ok;

	if (!m)
		return;
	ok = r->type == REDIS_REPLY_ARRAY;
	cJSON_ArrayForEach (id, json_get(m->fetch->json, "ids")) {
		ok = ok && i < r->elements && r->element[i]->type == REDIS_REPLY_STRING &&
		     r->element[i]->len <= BUS_RECORD_MAX &&
		     shadow_set(m, id->valuestring, r->element[i]->str);
		i++;
	}
	if (!ok)
		read_again(m);
}

static bool send_fetch(struct mirror *m, const cJSON *ids)
{
	int n = cJSON_GetArraySize(ids), argc = 0;
	const char **argv = calloc((size_t)n + 2, sizeof(*argv));
	struct read_ref *ref = malloc(sizeof(*ref));
	char key[BUS_NAME_MAX];
	const cJSON *id;
	bool ok = false;

	snprintf(key, sizeof(key), "culvert:state:%s:%s", topic_of(m), bus_daemon_name(m->owner));
	if (argv && ref) {
		*ref = (struct read_ref){ m, m->run };
		argv[argc++] = "HMGET";
		argv[argc++] = key;
		cJSON_ArrayForEach (id, ids)
			argv[argc++] = id->valuestring;
		ok = !bus_conn_command(&m->bus->cmd, on_fetched, ref, argc, argv, NULL);
	}
	if (!ok)
		free(ref);
	free(argv);
	return ok;
}

/* Takes over a. */
static void start_fetch(struct mirror *m, struct announcement *a)
{
	const cJSON *ids = json_get(a->json, "ids");

	m->phase = MIRROR_FETCHING;
	m->run++;
	m->fetch = a;
	m->bus->reader = m;
	if ((cJSON_GetArraySize(ids) && !send_fetch(m, ids)) ||
		!ask_generation(m, on_fetch_epoch, on_fetch_gen)) {
		leave(m);
		m->wanted = true;
	}
}

/* ---- announcements ---- */

static void apply_announced(struct mirror *m, const struct announcement *a)
{
	struct stamp now = a->now;
	const cJSON *v;

	now.full = m->stamp.full;
	cJSON_ArrayForEach (v, json_get(a->json, "set")) {
		char *text = json_format(v);

		if (text)
			mirror_set(m, v->string, text);
		cJSON_free(text);
	}
	cJSON_ArrayForEach (v, json_get(a->json, "del"))
		mirror_remove(m, v->valuestring);
	mirror_finish(m, a->epoch, &now);
}

static size_t count_removals(const struct mirror *m, const struct announcement *a)
{
	const cJSON *v;
	size_t n = 0;

	cJSON_ArrayForEach (v, json_get(a->json, "del"))
		n += hmap_find_str(&m->records, v->valuestring) != NULL;
	return n;
}

/* A change for an idle mirror. Takes over a. */
static void handle(struct mirror *m, struct announcement *a)
{
	bool same_epoch = !strcmp(a->epoch, m->epoch);
	bool follows = m->known && same_epoch && a->has_prev && stamp_equal(&a->prev, &m->stamp) &&
		       !mirror_guards(m, count_removals(m, a));

	if (m->known && same_epoch && stamp_equal(&a->now, &m->stamp)) {
		announcement_free(a);
	} else if (follows && a->has_values) {
		apply_announced(m, a);
		announcement_free(a);
	} else if (follows && json_get(a->json, "ids") && json_get(a->json, "del") && !m->bus->reader) {
		start_fetch(m, a);
	} else {
		announcement_free(a);
		want(m);
	}
}

static void drain(struct mirror *m)
{
	bool lost = m->pending_lost;

	while (m->phase == MIRROR_IDLE && !list_is_empty(&m->pending) && !m->bus->closing) {
		struct announcement *a = container_of(m->pending.next, struct announcement, node);

		list_remove(&a->node);
		m->pending_bytes -= a->size;
		if (!strcmp(a->epoch, m->epoch) && a->now.gen <= m->stamp.gen)
			announcement_free(a);
		else
			handle(m, a);
	}
	if (m->phase == MIRROR_IDLE)
		m->pending_lost = false;
	if (lost)
		want(m);
}

void bus_sync_announced(struct mirror *m, struct announcement *a)
{
	if (m->phase == MIRROR_IDLE) {
		handle(m, a);
		return;
	}
	if (m->pending_lost || m->pending_bytes + a->size > PENDING_BYTES) {
		announcement_free(a);
		m->pending_lost = true;
		return;
	}
	list_add(&m->pending, &a->node);
	m->pending_bytes += a->size;
	if (m->phase == MIRROR_SETTLING)
		settle(m);
}

/* ---- comparing generations ---- */

struct check {
	struct bus *bus;
	enum bus_daemon owner;
	char epoch[33];
};

static const redisReply *find_field(const redisReply *r, const char *name)
{
	for (size_t i = 0; i + 1 < r->elements; i += 2) {
		if (r->element[i]->type == REDIS_REPLY_STRING && !strcmp(r->element[i]->str, name))
			return r->element[i + 1];
	}
	return NULL;
}

static void compare(struct mirror *m, const char *epoch, const redisReply *field)
{
	struct stamp s;

	if (!field || !epoch[0]) {
		m->current = false;
		return;
	}
	if (field->type != REDIS_REPLY_STRING || !stamp_parse(field->str, field->len, &s)) {
		give_up(m, "generation unreadable");
		return;
	}
	if (!strcmp(epoch, m->refused_epoch) && stamp_equal(&s, &m->refused))
		return;
	if (!same_state(m, epoch, &s))
		want(m);
	else if (!m->current)
		mirror_finish(m, epoch, &s);
}

static void on_check_gens(void *arg, const redisReply *r)
{
	struct check *c = arg;
	struct bus *b = c->bus;

	b->checking[c->owner] = false;
	for (int t = 0; r && r->type == REDIS_REPLY_ARRAY && t < BUS_TOPICS && !b->closing; t++) {
		struct mirror *m = b->mirrors[t][c->owner];

		if (m && m->live && m->phase == MIRROR_IDLE)
			compare(m, c->epoch, find_field(r, bus_topics[t].name));
	}
	if (r && r->type == REDIS_REPLY_ERROR)
		log_error("bus: generations unreadable owner=%s error=%s", bus_daemon_name(c->owner), r->str);
	free(c);
}

static void on_check_epoch(void *arg, const redisReply *r)
{
	struct check *c = arg;

	if (r && r->type == REDIS_REPLY_STRING && r->len < sizeof(c->epoch))
		memcpy(c->epoch, r->str, r->len + 1);
}

static void check_owner(struct bus *b, enum bus_daemon owner)
{
	struct check *c = calloc(1, sizeof(*c));
	char key[BUS_NAME_MAX];

	if (!c)
		return;
	c->bus = b;
	c->owner = owner;
	b->check[owner] = false;
	b->checking[owner] = true;
	snprintf(key, sizeof(key), "culvert:epoch:%s", bus_daemon_name(owner));
	if (!bus_conn_send(&b->cmd, on_check_epoch, c, "GET", key, NULL)) {
		snprintf(key, sizeof(key), "culvert:gens:%s", bus_daemon_name(owner));
		if (!bus_conn_send(&b->cmd, on_check_gens, c, "HGETALL", key, NULL))
			return;
		/* The first reply still refers to c; it is kept until the bus ends the connection. */
		log_error("bus: out of memory");
		return;
	}
	b->checking[owner] = false;
	free(c);
}

void bus_sync_on_soon(struct bus *b)
{
	for (int d = 0; d < BUS_DAEMONS; d++) {
		if (b->check[d] && !b->checking[d] && b->cmd.up)
			check_owner(b, (enum bus_daemon)d);
	}
	next_read(b);
}

void bus_sync_check_all(struct bus *b)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		for (int d = 0; d < BUS_DAEMONS; d++) {
			if (b->mirrors[t][d] && b->mirrors[t][d]->live)
				b->check[d] = true;
		}
	}
	bus_soon(b);
}

void bus_sync_live(struct mirror *m)
{
	m->live = true;
	m->bus->check[m->owner] = true;
	bus_soon(m->bus);
}

/* A shadow that is complete is still applied; everything before is given up. */
void bus_sync_on_down(struct bus *b)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		for (int d = 0; d < BUS_DAEMONS; d++) {
			struct mirror *m = b->mirrors[t][d];

			if (!m)
				continue;
			m->current = m->wanted = false;
			m->live = m->live && b->sub.up;
			if (m->phase == MIRROR_SETTING || m->phase == MIRROR_REMOVING)
				continue;
			if (m->phase != MIRROR_IDLE)
				leave(m);
			drop_pending(m);
		}
	}
}

void bus_sync_init(struct bus *b)
{
	bus_timer_init(b, &b->work, on_work);
}
