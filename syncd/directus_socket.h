/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "syncd/directus_client.h"
#include "syncd/websocket_client.h"

/*
 * Directus' WebSocket (S3): subscribes to collections and tells which have changed. Nothing that it
 * says is believed but that: there is no replay, and what was missed while it was away is unknown.
 * Reconnects for ever, with back-off. The messages are those of Directus' "realtime".
 */

struct directus_socket_ops {
	/* In that collection, or (NULL) in whichever: the connection is new. */
	void (*on_hint)(void *arg, const char *collection);
	/* The connection stands: what is to be subscribed. */
	void (*on_open)(void *arg);
};

enum directus_socket_state {
	SOCKET_WAITS, /* until the next attempt */
	SOCKET_ASKS,  /* whether Directus is there and the token good */
	SOCKET_RESOLVES,
	SOCKET_CONNECTS, /* until the upgrade's answer */
	SOCKET_GREETS,	 /* until the token was accepted */
	SOCKET_OPEN,
	SOCKET_CLOSED, /* for good */
};

struct directus_socket {
	struct directus_client *client;
	const struct directus_socket_ops *ops;
	void *arg;
	enum directus_socket_state state;
	struct timer timer; /* the next attempt, or a deadline */
	struct resolver_query *query;
	struct websocket_client socket;
	struct hmap subscribed; /* collection → itself, nothing owned */
	bool is_quiet;		/* asked whether it lives, nothing came yet */
	unsigned failures;
	uint64_t hints;
	char error[192];
};

void directus_socket_open(struct directus_socket *s, struct directus_client *client,
	const struct directus_socket_ops *ops, void *arg);
void directus_socket_start(struct directus_socket *s);
/* Once per connection; from on_open on. */
void directus_socket_subscribe(struct directus_socket *s, const char *collection);
void directus_socket_report(const struct directus_socket *s, cJSON *status);
/* Before the client's close. */
void directus_socket_close(struct directus_socket *s);
void directus_socket_fini(struct directus_socket *s);
