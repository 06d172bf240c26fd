/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_sync.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

#define PENDING_BYTES (4u << 20)

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
	m->target.full = m->stamp.full;
	announcement_free(a);
	sync_applied(m);
}

static void on_fetch_gen(void *arg, const redisReply *r)
{
	struct mirror *m = sync_take_ref(arg, r);
	struct stamp now;

	if (!m)
		return;
	if (r->type == REDIS_REPLY_STRING && stamp_parse(r->str, r->len, &now) &&
		stamp_equal(&now, &m->fetch->now))
		apply_fetched(m);
	else
		sync_read_again(m);
}

static void on_fetch_epoch(void *arg, const redisReply *r)
{
	struct mirror *m = sync_take_ref(arg, r);

	if (m && (r->type != REDIS_REPLY_STRING || strcmp(r->str, m->fetch->epoch)))
		sync_read_again(m);
}

static void on_fetched(void *arg, const redisReply *r)
{
	struct mirror *m = sync_take_ref(arg, r);
	const cJSON *id;
	size_t i = 0;
	bool ok;

	if (!m)
		return;
	ok = r->type == REDIS_REPLY_ARRAY;
	cJSON_ArrayForEach (id, json_get(m->fetch->json, "ids")) {
		ok = ok && i < r->elements && r->element[i]->type == REDIS_REPLY_STRING &&
		     r->element[i]->len <= BUS_RECORD_MAX &&
		     sync_shadow_set(m, id->valuestring, r->element[i]->str);
		i++;
	}
	if (!ok)
		sync_read_again(m);
}

static bool send_fetch(struct mirror *m, const cJSON *ids)
{
	int n = cJSON_GetArraySize(ids), argc = 0;
	const char **argv = calloc((size_t)n + 2, sizeof(*argv));
	struct read_ref *ref = malloc(sizeof(*ref));
	char key[BUS_NAME_MAX];
	const cJSON *id;
	bool ok = false;

	snprintf(
		key, sizeof(key), "culvert:state:%s:%s", sync_topic(m), bus_name(m->bus, m->owner));
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
		!sync_ask_generation(m, on_fetch_epoch, on_fetch_gen)) {
		sync_leave(m);
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
		m->lost |= !text;
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
	} else if (follows && json_get(a->json, "ids") && json_get(a->json, "del") &&
		   !m->bus->reader) {
		start_fetch(m, a);
	} else {
		announcement_free(a);
		sync_want(m);
	}
}

void sync_drain(struct mirror *m)
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
		sync_want(m);
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
		sync_settle(m);
}
