/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_sync.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

#define SCAN_COUNT     "256" /* answered and kept well within a turn of the loop */
#define SETTLE_MS      1000
#define SHADOW_RECORDS 1000000u
#define SHADOW_BYTES   (256u << 20)

static bool overlay(struct mirror *m, const struct announcement *a)
{
	const cJSON *v;
	bool ok = true;

	cJSON_ArrayForEach (v, json_get(a->json, "set")) {
		char *text = json_format(v);

		ok = ok && text && sync_shadow_set(m, v->string, text);
		cJSON_free(text);
	}
	cJSON_ArrayForEach (v, json_get(a->json, "del"))
		hmap_remove_str(&m->shadow, v->valuestring);
	return ok;
}

/* Brings the shadow from `target` to `after` with what was announced meanwhile. */
void sync_settle(struct mirror *m)
{
	while (!stamp_equal(&m->target, &m->after)) {
		struct announcement *a = container_of(m->pending.next, struct announcement, node);
		bool old, usable;

		if (m->pending_lost) {
			sync_read_again(m);
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
	sync_apply(m);
}

static void on_after_gen(void *arg, const redisReply *r)
{
	struct mirror *m = sync_take_ref(arg, r);

	if (!m)
		return;
	if (r->type != REDIS_REPLY_STRING || !stamp_parse(r->str, r->len, &m->after))
		sync_read_again(m);
	else
		sync_settle(m);
}

static void on_after_epoch(void *arg, const redisReply *r)
{
	struct mirror *m = sync_take_ref(arg, r);

	if (m && (r->type != REDIS_REPLY_STRING || strcmp(r->str, m->target_epoch)))
		sync_read_again(m);
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
			m->shadow_skipped = true;
			continue;
		}
		if (v->len > BUS_RECORD_MAX || strlen(v->str) != v->len) {
			old = hmap_find(&m->records, id->str, id->len);
			text = old && old->text ? old->text : "";
			m->bus->counters.bad_messages++;
		}
		if (!sync_shadow_set(m, id->str, text))
			return false;
	}
	return m->shadow_bytes <= SHADOW_BYTES && m->shadow.count <= SHADOW_RECORDS;
}

static void on_slice(void *arg, const redisReply *r);

static bool scan(struct mirror *m, const char *cursor)
{
	char key[BUS_NAME_MAX];

	snprintf(
		key, sizeof(key), "culvert:state:%s:%s", sync_topic(m), bus_name(m->bus, m->owner));
	return sync_ask(m, on_slice, "HSCAN", key, cursor, "COUNT", SCAN_COUNT);
}

static void on_slice(void *arg, const redisReply *r)
{
	struct mirror *m = sync_take_ref(arg, r);

	if (!m)
		return;
	if (r->type == REDIS_REPLY_ERROR) {
		sync_give_up(m, r->str);
		return;
	}
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
		r->element[0]->type != REDIS_REPLY_STRING ||
		r->element[1]->type != REDIS_REPLY_ARRAY || !keep_slice(m, r->element[1])) {
		sync_give_up(m, "not what HSCAN answers, or too large");
		return;
	}
	if (strcmp(r->element[0]->str, "0") ? !scan(m, r->element[0]->str)
					    : !sync_ask_generation(m, on_after_epoch, on_after_gen))
		sync_read_again(m);
}

static void on_first_gen(void *arg, const redisReply *r)
{
	struct mirror *m = sync_take_ref(arg, r);

	if (!m)
		return;
	if (r->type == REDIS_REPLY_NIL) {
		m->current = false; /* unknown: the last good state stays */
		m->absent = true;
		sync_leave(m);
		bus_soon(m->bus);
	} else if (r->type == REDIS_REPLY_ERROR) {
		sync_give_up(m, r->str);
	} else if (r->type != REDIS_REPLY_STRING || !stamp_parse(r->str, r->len, &m->target)) {
		sync_give_up(m, "generation unreadable");
	}
}

static void on_first_epoch(void *arg, const redisReply *r)
{
	struct mirror *m = sync_take_ref(arg, r);

	if (!m)
		return;
	if (r->type == REDIS_REPLY_STRING && r->len < sizeof(m->target_epoch))
		memcpy(m->target_epoch, r->str, r->len + 1);
	else
		sync_give_up(m, r->type == REDIS_REPLY_ERROR ? r->str : "epoch missing");
}

static void start_read(struct mirror *m)
{
	struct bus *b = m->bus;

	m->wanted = false;
	m->phase = MIRROR_READING;
	m->run++;
	b->reader = m;
	sync_drop_pending(m);
	if (!sync_ask_generation(m, on_first_epoch, on_first_gen) || !scan(m, "0")) {
		sync_leave(m);
		m->wanted = true; /* the connection's end brings the next check */
	}
}

void sync_next(struct bus *b)
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
