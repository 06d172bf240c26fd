/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_sync.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

static bool same_state(const struct mirror *m, const char *epoch, const struct stamp *s)
{
	return m->known && !strcmp(m->epoch, epoch) && stamp_equal(&m->stamp, s);
}

struct check {
	struct bus *bus;
	enum bus_daemon owner;
	char epoch[33];
	bool has_no_second; /* question: there was no memory for it */
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
		m->absent = true;
		return;
	}
	if (field->type != REDIS_REPLY_STRING || !stamp_parse(field->str, field->len, &s)) {
		sync_give_up(m, "generation unreadable");
		return;
	}
	if (!strcmp(epoch, m->refused_epoch) && stamp_equal(&s, &m->refused))
		return;
	if (!same_state(m, epoch, &s) || m->lost)
		sync_want(m);
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
		log_error("bus: generations unreadable owner=%s error=%s",
			bus_daemon_name(c->owner), r->str);
	free(c);
}

static void end_check(struct check *c)
{
	c->bus->checking[c->owner] = false;
	free(c);
}

static void on_check_epoch(void *arg, const redisReply *r)
{
	struct check *c = arg;

	if (r && r->type == REDIS_REPLY_STRING && r->len < sizeof(c->epoch))
		memcpy(c->epoch, r->str, r->len + 1);
	if (c->has_no_second)
		end_check(c);
}

static void check_owner(struct bus *b, enum bus_daemon owner)
{
	struct check *c = calloc(1, sizeof(*c));
	char key[BUS_NAME_MAX];

	if (!c) {
		bus_beat_soon(b);
		return;
	}
	c->bus = b;
	c->owner = owner;
	b->check[owner] = false;
	b->checking[owner] = true;
	snprintf(key, sizeof(key), "culvert:epoch:%s", bus_name(b, owner));
	if (!bus_conn_send(&b->cmd, on_check_epoch, c, "GET", key, NULL)) {
		snprintf(key, sizeof(key), "culvert:gens:%s", bus_name(b, owner));
		if (!bus_conn_send(&b->cmd, on_check_gens, c, "HGETALL", key, NULL))
			return;
		c->has_no_second = true; /* the first answer still refers to c */
	} else {
		end_check(c);
	}
	bus_beat_soon(b);
}

void bus_sync_on_soon(struct bus *b)
{
	for (int d = 0; d < BUS_DAEMONS; d++) {
		if (b->check[d] && !b->checking[d] && b->cmd.up)
			check_owner(b, (enum bus_daemon)d);
	}
	sync_next(b);
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
