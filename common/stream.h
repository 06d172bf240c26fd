/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A byte stream on libuv: TCP or a unix socket, with or without TLS on top, seen the same way.
 *
 * Life: stream_connect/stream_accept -> on_open -> on_read*, on_eof -> stream_close -> on_close ->
 * freed. on_close comes exactly once for every stream that was made, always from the loop (never
 * from within a call), also when it never opened; it is the last callback and the stream is freed
 * after it. After stream_close no other callback comes. Every callback may call any function on its
 * stream, stream_close included.
 *
 * Reading starts by itself at on_open. Back-pressure: stream_pause/stream_resume for reading; for
 * writing stop when stream_is_full and go on at on_drain.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "common/tls.h"

struct stream;

struct stream_ops {
	/* Connected and, with TLS, the handshake is done. Also after stream_start_tls_*. */
	void (*on_open)(struct stream *s);
	/* len > 0. `data` is valid during the call only. */
	void (*on_read)(struct stream *s, const void *data, size_t len);
	/* The peer will send no more (with TLS: said so by close_notify; a missing one is an error
	 * and closes with -ECONNRESET). Writing is still possible. NULL: the stream is closed with
	 * 0. */
	void (*on_eof)(struct stream *s);
	/* Pending output fell to the low mark after it had been above the high one. May be NULL. */
	void (*on_drain)(struct stream *s);
	/* `why`: 0 or the -errno given to stream_close, by us or by the owner. */
	void (*on_close)(struct stream *s, int why);
};

/* Times are milliseconds, 0 = no limit. Zeroed sizes mean the default. */
struct stream_limits {
	uint32_t connect_ms;
	uint32_t handshake_ms;
	uint32_t idle_ms;   /* open, not paused, nothing read or written */
	uint32_t write_ms;  /* output pending, none of it taken by the peer */
	size_t high_mark;   /* 256 KiB */
	size_t low_mark;    /* a quarter of high_mark */
	size_t max_pending; /* 8 MiB: a write beyond it closes the stream with -ENOBUFS */
};
/* connect 10 s, handshake 10 s, idle 60 s, write 30 s. */
extern const struct stream_limits stream_default_limits;

/*
 * Connects to `to` (AF_INET, AF_INET6, or AF_UNIX). With `tls` (a client context; the stream takes
 * a reference) TLS with `name` follows; tls NULL: plain, `name` ignored. `limits` NULL: the
 * defaults. 0 or -errno, in which case there is no stream and no callback; a failing connection is
 * reported by on_close.
 */
int stream_connect(uv_loop_t *loop, const struct sockaddr *to, struct tls_ctx *tls,
	const char *name, const struct stream_limits *limits, const struct stream_ops *ops,
	void *data, struct stream **out);

/* The server's side of an accepted socket, which the stream takes over (closed also on error). With
 * `tls` (a server context) the handshake comes first. on_open is called from the loop. */
int stream_accept(uv_loop_t *loop, int fd, struct tls_ctx *tls, const struct stream_limits *limits,
	const struct stream_ops *ops, void *data, struct stream **out);

/* The client's side of a connected, non-blocking socket, taken over likewise; `tls` and `name` as
 * in stream_connect. */
int stream_open_fd(uv_loop_t *loop, int fd, struct tls_ctx *tls, const char *name,
	const struct stream_limits *limits, const struct stream_ops *ops, void *data,
	struct stream **out);

/*
 * Puts TLS on an open plain stream; on_open comes again when the handshake is done. Bytes read too
 * far are given back first with stream_unread. The callbacks of stream_set_ops should be set
 * before. `name`: as for tls_new; stream_data is the conn_data that a tls_select_cert receives.
 */
int stream_start_tls_server(struct stream *s, struct tls_ctx *tls, const char *name);
int stream_start_tls_client(struct stream *s, struct tls_ctx *tls, const char *name);

/* Gives bytes back: they are delivered (or taken as ciphertext) before anything else. Copied. 0 or
 * -errno. */
int stream_unread(struct stream *s, const void *data, size_t len);

/* A new owner. Pending bytes go to the new callbacks. */
void stream_set_ops(struct stream *s, const struct stream_ops *ops, void *data);
void *stream_data(const struct stream *s);
void stream_set_limits(struct stream *s, const struct stream_limits *limits);
const struct stream_limits *stream_limits(const struct stream *s);

/* 0, -ENOTCONN before on_open, -EPIPE after shutdown or close, -ENOBUFS above max_pending. */
int stream_write(struct stream *s, const void *data, size_t len);
/* The same without a copy where possible: takes the malloc'ed `data` over, also on error. */
int stream_write_owned(struct stream *s, void *data, size_t len);
/* From here to stream_uncork small writes are gathered (up to 32 KiB), to go out as one: one
 * segment, one TLS record. Idempotent; so is uncorking. A stream that is shut down is uncorked. */
void stream_cork(struct stream *s);
void stream_uncork(struct stream *s);
/* Bytes written but not yet taken by the kernel. */
size_t stream_pending(const struct stream *s);
/* Above the high mark: on_drain will come. */
bool stream_is_full(const struct stream *s);

void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
bool stream_is_paused(const struct stream *s);

/* No more writes: what is pending goes out, then close_notify and FIN. Idempotent. */
int stream_shutdown(struct stream *s);
/* Sends what is pending, shuts down, reads and drops until the peer closes or 2 s passed, then
 * closes. No callback but on_close from here on. For "answer and hang up". */
void stream_finish(struct stream *s, int why);
/* At once. Idempotent: the first `why` counts. What the kernel still has goes out. */
void stream_close(struct stream *s, int why);
/* The same, but nothing more goes out: the peer's connection is reset. */
void stream_reset(struct stream *s, int why);

bool stream_is_open(const struct stream *s);
/* Why it failed, for the log: "connect: connection refused", "tls: certificate has expired"; "" =
 * it did not. */
const char *stream_error(const struct stream *s);
/* False for a plain stream. Valid in on_close too. */
bool stream_tls_info(const struct stream *s, struct tls_info *info);

uv_loop_t *stream_loop(const struct stream *s);
/* The file descriptor, to look at (SO_ORIGINAL_DST); -1 when closed. */
int stream_fd(const struct stream *s);
/* Addresses of the socket; 0 or -errno. */
int stream_peer(struct stream *s, struct sockaddr_storage *out);
int stream_local(const struct stream *s, struct sockaddr_storage *out);
uint64_t stream_bytes_read(const struct stream *s);
uint64_t stream_bytes_written(const struct stream *s);

/*
 * Takes the file descriptor of an open plain stream out (for splicing in the kernel): pending
 * output must be 0, bytes given back with stream_unread are lost. The stream then closes with 0.
 * The descriptor is non-blocking and the caller's. -EBUSY, -EINVAL (TLS), -errno.
 */
int stream_detach_fd(struct stream *s, int *fd);

/* -- Listening -- */

struct listener;
struct listener_options {
	bool reuse_port;  /* several processes of one user share the port */
	bool freebind;	  /* the address may not exist yet (IP_FREEBIND) */
	bool transparent; /* IP_TRANSPARENT */
	int backlog;	  /* 0 = 512 */
	mode_t mode;	  /* unix socket only: 0 = 0660 */
};
/* `fd` is the callee's. The accepted socket has TCP_NODELAY. */
typedef void (*listener_on_accept)(
	struct listener *l, int fd, const struct sockaddr *peer, void *data);

/* Out of descriptors: stops accepting for 100 ms. 0 or -errno. */
int listener_open(uv_loop_t *loop, const struct sockaddr *at, const struct listener_options *opt,
	listener_on_accept on_accept, void *data, struct listener **out);
/* The address in force (port 0 resolved). */
int listener_address(const struct listener *l, struct sockaddr_storage *out);
/* Closes; freed by the loop. Idempotent only before the loop ran. NULL is allowed. */
void listener_close(struct listener *l);
