/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "common/list.h"
#include "common/lru.h"
#include "common/timer.h"

/*
 * Of the requests of a device to a place that nothing leads to yet, and that may speak HTTP/2, one
 * connects; the others wait for what it finds: a connection that takes them too, a server that
 * speaks HTTP/1.1 (to which each connects by itself, as from then on for an hour), or none. So a
 * burst of requests does not become a burst of connections.
 */
struct proxy;
struct exchange;
struct target;
struct dial_error;

struct scout; /* one that has others behind it, or may have */

struct scouts {
	struct hmap by_key; /* carriers_key → struct scout */
	struct lru http1;   /* "host port" of those that speak HTTP/1.1 */
	struct list woken;  /* struct exchange */
	struct timer wake;
};

void scouts_init(struct proxy *p);
void scouts_close(struct proxy *p);
void scouts_fini(struct proxy *p);

/* Is another one on its way? Then x waits: upstream_wake is called from the loop, or it fails with
 * the other. Else x goes, and others may wait for it. */
bool scouts_wait(struct exchange *x);
/* x goes or waits no more: those behind it are woken. Idempotent. */
void scouts_leave(struct exchange *x);
/* What x found: the place speaks HTTP/1.1. */
void scouts_note_http1(struct proxy *p, const struct target *t);
/* x found nothing. Its scout, NULL: nobody is behind it; then x may end, and scouts_fail is for
 * those who are. */
struct scout *scouts_detach(struct exchange *x);
void scouts_fail(struct scout *s, const struct dial_error *err);
