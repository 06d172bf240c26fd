/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/call.h"

/*
 * The server's end of a WebSocket (RFC 6455), for text both ways. Extensions are not negotiated.
 * What the peer does wrong ends it with the code that the RFC has for it: 1002, 1003 (binary), 1007
 * (no UTF-8), 1008 (more than 64 KiB in 10 s), 1009 (a message above WEBSOCKET_MESSAGE_MAX).
 *
 * It is pinged; a peer that says nothing for two pings, or takes nothing of what is pending for as
 * long, is gone.
 */
enum { WEBSOCKET_MESSAGE_MAX = 16384 };
#define WEBSOCKET_PROTOCOL "culvert.v1"

struct websocket;
struct websocket_ops {
	/* text is UTF-8, not terminated, valid during the call. */
	void (*on_text)(struct websocket *w, const char *text, size_t len);
	/* The last callback, always from the loop. */
	void (*on_close)(struct websocket *w);
};

enum websocket_code {
	WEBSOCKET_GOING_AWAY = 1001,
	WEBSOCKET_PROTOCOL_ERROR = 1002,
	WEBSOCKET_POLICY = 1008,
	WEBSOCKET_INTERNAL = 1011,
	WEBSOCKET_ENDED = 4401, /* the session or token has ended, or may less than it did */
};

/* Is it a handshake that we take? Else it is answered. Who may is the caller's to look at. */
bool websocket_check(struct call *c);
/* Agrees, after websocket_check. NULL: answered otherwise, or the client is gone. */
struct websocket *websocket_open(
	struct call *c, uint32_t ping_ms, const struct websocket_ops *ops, void *data);
void *websocket_data(const struct websocket *w);
/* Bytes wait for the peer: what can be left out should be, until there are fewer. */
bool websocket_is_full(const struct websocket *w);
/* Nothing once it is closing. Copied. */
void websocket_send(struct websocket *w, const char *text, size_t len);
/* Says why and hangs up; on_close follows. Idempotent. */
void websocket_close(struct websocket *w, enum websocket_code code, const char *reason);
