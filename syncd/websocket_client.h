/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/http.h"

/*
 * The client's end of a WebSocket (RFC 6455), for text both ways; extensions are not offered.
 * Embedded in its owner; one connection after another. A message above 1 MiB ends it.
 */
struct wslay_event_context;

struct websocket_client_ops {
	void (*on_open)(void *arg);
	/* text is UTF-8, not terminated, valid during the call. */
	void (*on_text)(void *arg, const char *text, size_t len);
	/* It has ended, by itself; why is for people. */
	void (*on_end)(void *arg, const char *why);
};

struct websocket_target {
	const struct addr *addr;
	uint16_t port;
	struct tls_ctx *tls;   /* NULL = plain */
	const char *host;      /* TLS name */
	const char *authority; /* Host header */
	const char *path;
};

struct websocket_client {
	const struct websocket_client_ops *ops;
	void *arg;
	char path[2048 + 16], authority[300]; /* until they are sent */
	struct http_client *http;	      /* until the upgrade */
	struct stream *stream;		      /* after it */
	struct wslay_event_context *frames;
	const uint8_t *input; /* while a read is being taken apart: frames must stay */
	size_t input_len;
	bool is_reading;
	char key[25], accept[29]; /* Sec-WebSocket-Key, and what must come back */
};

void websocket_client_init(
	struct websocket_client *w, const struct websocket_client_ops *ops, void *arg);
/* Not while there is a connection. 0: on_open or on_end follows. -errno. */
int websocket_client_connect(
	struct websocket_client *w, uv_loop_t *loop, const struct websocket_target *to);
/* Copied. Nothing when it is not open. */
void websocket_client_send(struct websocket_client *w, const char *text, size_t len);
/* At once, and without on_end. Idempotent. */
void websocket_client_close(struct websocket_client *w);
/* After the loop's end. */
void websocket_client_fini(struct websocket_client *w);
