/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include <stdbool.h>
#include <uv.h>

/*
 * Readiness of many sockets at the least cost: edge-triggered, one system call a socket for all its
 * life, all of them through one handle of the loop. A socket that was said to be ready is so until
 * a call on it gave less than was asked for, or EAGAIN; who stops before that asks for another
 * turn. The end of what comes in is told as POLLER_ENDED: whoever reads goes on to the end then,
 * however little a call gave.
 */
enum poller_event { POLLER_READABLE = 1, POLLER_WRITABLE = 2, POLLER_ENDED = 4 };

struct poller;

struct poll_watch {
	int fd;
	/* what: poller_events, 0 = the turn that was asked for. May add and remove watches, its own
	 * too. */
	void (*on_ready)(struct poll_watch *w, unsigned what);
	bool is_added;
	struct list again;
};

/* NULL without memory or descriptors. */
struct poller *poller_open(uv_loop_t *loop);
/* No more callbacks, and nothing can be added. Frees itself once the loop has closed its handles
 * and the last watch was removed. */
void poller_close(struct poller *p);
/* Both directions; fd and on_ready are filled in. 0 or -errno; removing it is allowed then, too. */
int poller_add(struct poller *p, struct poll_watch *w);
/* Before its descriptor is closed, which is what ends the kernel's part. No callback after it; the
 * memory may be freed at once. */
void poller_remove(struct poller *p, struct poll_watch *w);
/* The same when the descriptor lives on: it may be added again, here or elsewhere. */
void poller_release(struct poller *p, struct poll_watch *w);
/* on_ready comes once more in the loop's next turn. */
void poller_again(struct poller *p, struct poll_watch *w);
