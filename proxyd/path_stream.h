/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/client_hello.h"
#include "proxyd/path_packet.h"
#include "proxyd/path_store.h"
#include "proxyd/server_hello.h"

/*
 * The beginning of a TCP connection, read in its path: what the client says until the server has
 * answered, and of the answer as much as tells whether it asks for another hello. Segments may come
 * in any order; what two of them say of one place must agree. No I/O, no policy.
 *
 *   client's SYN     →  path_stream_begin
 *   client's packet  →  path_stream_up    →  MORE, HAS_NAME, GOOD, BAD, LATER
 *   server's packet  →  path_stream_down  →  MORE, GOOD, BAD
 */
#define PATH_STREAM_PACKETS 4096 /* of the client, until the server has answered */

enum path_stream_stage {
	PATH_STREAM_HELLO,  /* the client's is not whole */
	PATH_STREAM_ANSWER, /* the server's answer is waited for */
	PATH_STREAM_SECOND, /* it asked for another hello */
	PATH_STREAM_OPEN,   /* which came, and is answered next */
	PATH_STREAM_BROKEN,
};

enum path_stream_result {
	PATH_STREAM_MORE,     /* may pass; nothing is decided by it */
	PATH_STREAM_HAS_NAME, /* may pass if the hello's name may: it is whole now */
	PATH_STREAM_GOOD,  /* up: may pass, the hello stays as it was; down: all that follows may */
	PATH_STREAM_BAD,   /* the connection is to be refused */
	PATH_STREAM_LATER, /* may not pass: no server takes it */
};

struct path_stream {
	enum path_stream_stage stage;
	struct path_store store; /* of the client's bytes */
	uint32_t base;		 /* sequence number of its first */
	uint32_t server_base;	 /* of the server's first */
	uint32_t server_end;	 /* behind what it said until the second hello came */
	size_t hello_len;	 /* bytes of the first hello's records */
	unsigned packets;
	bool has_base, has_server_base;
	uint8_t head[SERVER_HELLO_HEAD]; /* of the server's answer */
	uint64_t head_have;		 /* bit per byte of it */
	char *name;			 /* of the hello, "" = none, NULL = not there yet */
};

/* Zeroed, nothing is known of it, and all is BAD. With the client's first packet its bytes begin.
 */
void path_stream_begin(struct path_stream *s, const struct path_packet *syn);
/* Not elsewhere than they did already: which of the two a server has heard nobody knows. */
bool path_stream_may_begin(const struct path_stream *s, const struct path_packet *syn);
void path_stream_fini(struct path_stream *s);
/* hello is filled with HAS_NAME only. */
enum path_stream_result path_stream_up(
	struct path_stream *s, const struct path_packet *k, struct client_hello *hello);
enum path_stream_result path_stream_down(struct path_stream *s, const struct path_packet *k);
