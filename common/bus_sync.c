/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_sync.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

/* Not 0: libuv before 1.45 fires a timer started in a timer's callback before it polls. */
#define TURN_MS 1

const char *sync_topic(const struct mirror *m)
{
	return bus_topics[m->topic].name;
}

void sync_drop_pending(struct mirror *m)
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
void sync_leave(struct mirror *m)
{
	m->run++;
	m->phase = MIRROR_IDLE;
	hmap_clear(&m->shadow);
	m->shadow_bytes = 0;
	m->shadow_skipped = false;
	end_fetch(m);
	if (m->bus->reader == m) {
		m->bus->reader = NULL;
		timer_stop(&m->bus->work);
	}
}

void sync_want(struct mirror *m)
{
	m->wanted = true;
	sync_next(m->bus);
}

void sync_read_again(struct mirror *m)
{
	m->bus->counters.rereads++;
	sync_leave(m);
	sync_drop_pending(m);
	m->wanted = true;
	bus_soon(m->bus);
}

/* The state cannot be read: the last good one stays until something changes. */
void sync_give_up(struct mirror *m, const char *why)
{
	if (!m->failed)
		log_error(
			"bus: state unreadable, keeping the last good one topic=%s owner=%s why=%s",
			sync_topic(m), bus_daemon_name(m->owner), why);
	m->failed = true;
	m->current = false;
	sync_leave(m);
	sync_drop_pending(m);
	bus_soon(m->bus);
}

bool sync_ask(struct mirror *m, void (*on_reply)(void *arg, const redisReply *r), const char *verb,
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
struct mirror *sync_take_ref(void *arg, const redisReply *r)
{
	struct read_ref ref = *(struct read_ref *)arg;

	free(arg);
	if (!r || ref.run != ref.m->run || ref.m->bus->closing)
		return NULL;
	return ref.m;
}

bool sync_ask_generation(struct mirror *m, void (*on_epoch)(void *arg, const redisReply *r),
	void (*on_gen)(void *arg, const redisReply *r))
{
	char key[BUS_NAME_MAX];

	snprintf(key, sizeof(key), "culvert:epoch:%s", bus_name(m->bus, m->owner));
	if (!sync_ask(m, on_epoch, "GET", key, NULL, NULL, NULL))
		return false;
	snprintf(key, sizeof(key), "culvert:gens:%s", bus_name(m->bus, m->owner));
	return sync_ask(m, on_gen, "HGET", key, sync_topic(m), NULL, NULL);
}

bool sync_shadow_set(struct mirror *m, const char *id, const char *text)
{
	char *copy = strdup(text);

	if (!copy || hmap_set_str(&m->shadow, id, copy)) {
		free(copy);
		return false;
	}
	m->shadow_bytes += strlen(text);
	return true;
}

/* ---- applying the shadow ---- */

void sync_applied(struct mirror *m)
{
	struct bus *b = m->bus;
	struct stamp target = m->target;
	char epoch[33];

	memcpy(epoch, m->target_epoch, sizeof(epoch));
	sync_leave(m);
	mirror_finish(m, epoch, &target);
	if (b->closing)
		return;
	sync_drain(m);
	sync_next(b);
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
	sync_applied(m);
}

static void on_work(struct timer *t)
{
	struct bus *b = t->data;
	struct mirror *m = b->reader;
	uint64_t until = uv_hrtime() + BUS_SLICE_NS;

	if (!m || b->closing)
		return;
	if (m->phase == MIRROR_SETTLING) {
		sync_read_again(m);
		return;
	}
	if (m->phase == MIRROR_SETTING)
		work_set(m, until);
	if (m->phase == MIRROR_REMOVING && uv_hrtime() <= until && !b->closing)
		work_remove(m, until);
	if (b->reader == m && (m->phase == MIRROR_SETTING || m->phase == MIRROR_REMOVING))
		timer_start(&b->work, TURN_MS, 0);
}

/* The generation at hand is not read again. */
static void refuse_target(struct mirror *m)
{
	m->refused = m->target;
	memcpy(m->refused_epoch, m->target_epoch, sizeof(m->refused_epoch));
}

static void refuse(struct mirror *m, size_t removals)
{
	m->bus->counters.refused++;
	refuse_target(m);
	log_error("bus: mass removal refused topic=%s owner=%s removed=%zu of=%zu", sync_topic(m),
		bus_daemon_name(m->owner), removals, m->records.count);
	m->failed = true;
	sync_give_up(m, "mass removal");
}

/* A Redis that evicts, or whoever deletes by hand, takes records away without a generation. */
static bool lacks_records(const struct mirror *m)
{
	int64_t count = m->after.count;

	return count >= 0 && !m->shadow_skipped && (uint64_t)count != m->shadow.count;
}

void sync_apply(struct mirror *m)
{
	size_t removals = 0;

	if (lacks_records(m)) {
		sync_give_up(m, "other records than its owner has published");
		return;
	}
	bool replaced = m->target.full > 0 &&
			(strcmp(m->target_epoch, m->epoch) || m->target.full > m->stamp.gen);

	hmap_foreach (&m->records, it)
		removals += !hmap_find(&m->shadow, it.key, it.len);
	if (!replaced && mirror_guards(m, removals)) {
		refuse(m, removals);
		return;
	}
	m->phase = MIRROR_SETTING;
	m->lost = false;
	m->cursor = (struct hmap_iter){ 0 };
	timer_start(&m->bus->work, TURN_MS, 0);
}

/* A shadow that is complete is still applied; everything before is given up. */
void bus_sync_on_down(struct bus *b)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		for (int d = 0; d < BUS_DAEMONS; d++) {
			struct mirror *m = b->mirrors[t][d];

			if (!m)
				continue;
			m->current = m->absent = m->wanted = false;
			m->live = m->live && b->sub.up;
			if (m->phase == MIRROR_SETTING || m->phase == MIRROR_REMOVING)
				continue;
			if (m->phase == MIRROR_READING && b->cmd.overflowed &&
				!stamp_equal(&m->target, &m->stamp)) {
				refuse_target(m);
				sync_give_up(m, "too large");
			}
			if (m->phase != MIRROR_IDLE)
				sync_leave(m);
			sync_drop_pending(m);
		}
	}
}

void bus_sync_init(struct bus *b)
{
	bus_timer_init(b, &b->work, on_work);
}
