/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus_mirror.h"

/*
 * How a mirror follows Redis. One mirror at a time reads (bus->reader): the generation, the hash in
 * slices, the generation again. Announcements that arrive meanwhile are kept; applied in order on
 * the shadow they make it a consistent state, because each sets whole records. Then the shadow is
 * compared with the mirror, in slices of the loop.
 */

/* The argument of a command of one read; a reply for an older read is dropped. */
struct read_ref {
	struct mirror *m;
	unsigned run;
};

/* bus_sync.c */
const char *sync_topic(const struct mirror *m);
/* A command of the running read, ended by its last argument that is not NULL. */
bool sync_ask(struct mirror *m, void (*on_reply)(void *arg, const redisReply *r), const char *verb,
	const char *key, const char *a, const char *b, const char *c);
/* The mirror a reply is for; NULL when the read is over or the connection was lost. */
struct mirror *sync_take_ref(void *arg, const redisReply *r);
/* Asks epoch and generation. */
bool sync_ask_generation(struct mirror *m, void (*on_epoch)(void *arg, const redisReply *r),
	void (*on_gen)(void *arg, const redisReply *r));
/* Leaves the reader's place; what was read is dropped. */
void sync_leave(struct mirror *m);
void sync_drop_pending(struct mirror *m);
/* Reads when the reader is free. */
void sync_want(struct mirror *m);
void sync_read_again(struct mirror *m);
/* The state cannot be read: the last good one stays until something changes. */
void sync_give_up(struct mirror *m, const char *why);
bool sync_shadow_set(struct mirror *m, const char *id, const char *text);
/* The shadow is the state `target`: compares and delivers it, in slices. */
void sync_apply(struct mirror *m);
/* The mirror is at `target`. */
void sync_applied(struct mirror *m);

/* bus_read.c: the next mirror that wants reads, when the reader is free. */
void sync_next(struct bus *b);
/* Brings the shadow from `target` to `after` with what was announced meanwhile, then applies it. */
void sync_settle(struct mirror *m);

/* bus_follow.c: handles what was announced while the mirror was busy. */
void sync_drain(struct mirror *m);
