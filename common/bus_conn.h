/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "common/timer.h"
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * One connection to Redis: libuv's stream below, hiredis's reader and formatter above. It
 * reconnects for ever (50 ms doubling to 2 s, with jitter) and has its own deadline: a server that
 * sends nothing for 2 s while an answer is due is given up, and so is one whose reply is larger
 * than 128 MiB. It pings when idle.
 * One that was up and ended for what it said (no reply of the protocol, or not asked for, or none
 * at all since it greeted) is come back to at the slowest pace, and logged once, until it has
 * lasted for 5 s. A server that refuses to write because it follows another (READONLY) is given up
 * too: what has its address may be another server the next time.
 */
struct bus_conn;
struct bus_link;

struct bus_conn_ops {
	void (*on_up)(struct bus_conn *c);   /* authenticated, ready for commands */
	void (*on_down)(struct bus_conn *c); /* after every pending command was told */
	/* Message or confirmation of a subscription; only on a subscribing connection. */
	void (*on_push)(struct bus_conn *c, const redisReply *r);
	void (*on_closed)(struct bus_conn *c); /* after bus_conn_close: the last handle is gone */
};

struct bus_conn_conf {
	/* unix:PATH or tcp:ADDR:PORT, kept by the caller; NULL: none yet (bus_conn_set_server). */
	const char *server;
	const char *user;
	const char *password; /* NULL: no AUTH */
	bool subscribing;
	bool wants_master; /* a server whose ROLE is another is given up at once */
	const char *name;  /* for the log */
};

struct bus_conn {
	uv_loop_t *loop;
	struct bus_conn_conf conf;
	const struct bus_conn_ops *ops;
	void *data;
	struct bus_link *link; /* NULL between attempts */
	struct list pending;   /* commands without an answer, oldest first */
	size_t pending_count;
	struct timer retry, watchdog;
	unsigned silent_ticks; /* of the watchdog, while an answer was due */
	unsigned idle_ticks;
	unsigned backoff_ms;
	unsigned handles; /* open handles, for on_closed */
	bool up, pinging, closing, reported;
	bool overflowed;     /* it ended for a reply that was too large */
	bool is_suspect;     /* it ended for what it said, and has not lasted since */
	bool has_answered;   /* anything since it is up */
	unsigned good_ticks; /* of the watchdog, while it is suspect and up */
	uint64_t connects, failures;
};

int bus_conn_open(uv_loop_t *loop, struct bus_conn *c, const struct bus_conn_conf *conf,
	const struct bus_conn_ops *ops, void *data);
/* Every pending command ends with NULL before this returns. */
void bus_conn_close(struct bus_conn *c);
/* Leaves the server at hand, if any, and turns to that one at once. */
void bus_conn_set_server(struct bus_conn *c, const char *server);
/* Bytes that the socket has not taken yet. */
size_t bus_conn_backlog(const struct bus_conn *c);

/*
 * Sends a command. on_reply is called exactly once: with the reply (valid during the call; may be
 * an error reply) or NULL when the connection was lost; may be NULL itself. -ENOTCONN when not up,
 * -ENOMEM: on_reply is not called then.
 */
int bus_conn_command(struct bus_conn *c, void (*on_reply)(void *arg, const redisReply *r),
	void *arg, int argc, const char *const *argv, const size_t *lens);
/* The same with strings, ended by NULL. */
int bus_conn_send(struct bus_conn *c, void (*on_reply)(void *arg, const redisReply *r), void *arg,
	...) __attribute__((sentinel));
