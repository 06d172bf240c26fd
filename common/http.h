/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HTTP/1.1 on streams, both sides, with one message model: a head is parsed whole and bounded, the
 * body streams.
 *
 * Server: http_conn_new on a stream; each request is a `struct http_request` from on_request to
 * on_end. One request at a time: the next one of a pipeline is parsed when the response has been
 * handed over. Client: http_client_new on a stream; one exchange at a time; idle again after it if
 * the connection may be used again. http_fetch does one whole exchange.
 *
 * Refused by the parser (RFC 9112): Transfer-Encoding with Content-Length, repeated Content-Length,
 * folded headers, bare CR or LF, NUL, blanks before the colon, bad chunk sizes, a request without
 * exactly one Host (1.1).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/stream.h"
#include "common/tls.h"

/* -- Heads -- */

struct http_header {
	const char *name;  /* as received; compare without case */
	const char *value; /* without blanks at the ends; any byte but NUL, CR, LF */
};

/* A request or response head. Strings live in the head until it is reset; they never move. */
struct http_head {
	const char *method; /* request, upper case: "GET" */
	const char *target; /* request: as received: "/a?b", "http://h/a", "h:443", "*" */
	int status;	    /* response */
	const char *reason; /* response: NULL when writing = the usual one */
	int minor;	    /* HTTP/1.minor, 0 or 1 */
	struct http_header *headers;
	size_t n_headers;
	size_t headers_cap;
	size_t bytes; /* of all names and values */
	struct http_block *blocks;
};

/* In place; a zeroed head is an empty one too. minor becomes 1. */
void http_head_init(struct http_head *h);
/* Frees and empties. */
void http_head_fini(struct http_head *h);
int http_head_copy(struct http_head *to, const struct http_head *from);

/* Sets; the strings are copied. -EINVAL: a byte that does not belong there (CR, LF, NUL, a blank in
 * the target ...). */
int http_head_set_request(struct http_head *h, const char *method, const char *target);
int http_head_set_status(struct http_head *h, int status);
/* Adds at the end. -EINVAL: name is no token, or the value holds CR, LF or another control
 * character. */
int http_head_add(struct http_head *h, const char *name, const char *value);
/* Removes all of that name, then adds. */
int http_head_set(struct http_head *h, const char *name, const char *value);
/* How many were removed. */
size_t http_head_remove(struct http_head *h, const char *name);
/* The first value or NULL. */
const char *http_head_get(const struct http_head *h, const char *name);
/* The next index >= i with that name, or n_headers. */
size_t http_head_find(const struct http_head *h, const char *name, size_t i);
/* Is `token` an element of the comma lists of that name? Without case. */
bool http_head_has_token(const struct http_head *h, const char *name, const char *token);
/* For proxies: removes Connection and what it names, Keep-Alive, Proxy-*, TE, Trailer,
 * Transfer-Encoding, Upgrade. */
void http_head_strip_hop(struct http_head *h);
/* "Not Found"; "" for unknown codes. */
const char *http_status_text(int status);

/* -- Limits -- */

/* Zero means the default for sizes, no limit for times, rates and max_body. */
struct http_limits {
	size_t max_headers;    /* 100; trailers count too */
	size_t max_head_bytes; /* 65536, start line included; trailers apart, as much */
	size_t max_target;     /* 16384 */
	uint64_t max_body;     /* as received; server: 413, client: -EMSGSIZE */
	uint32_t
		header_ms; /* server: from a request's first byte (or the connection's start) to its
			      head's end; client: from the request's end to the response's head */
	uint32_t idle_ms;  /* server: between requests */
	uint32_t body_min_rate; /* bytes per second over any 10 s while a body is awaited and not
				   paused */
	uint32_t body_idle_ms;	/* client, where there is no such rate: no byte of a body awaited
				   and not paused */
};
/* 100, 64 KiB, 16 KiB, 0, 10 s (client 60 s is for the caller to set), 60 s, 100 B/s. */
extern const struct http_limits http_default_limits;

enum http_framing {
	HTTP_BODY_NONE,	   /* no body (responses that could have one say Content-Length: 0) */
	HTTP_BODY_LENGTH,  /* Content-Length */
	HTTP_BODY_CHUNKED, /* towards an HTTP/1.0 client: until the connection closes */
	HTTP_BODY_CLOSE,   /* responses only: until the connection closes */
};

/* -- Server -- */

struct http_conn;
struct http_request;

struct http_server_ops {
	/* The head is there. Answer now or later, with or without the body. Before the body is
	 * paused here (by http_request_pause) or not, it flows after the return. */
	void (*on_request)(struct http_request *req);
	/* NULL: bodies are dropped. */
	void (*on_body)(struct http_request *req, const void *data, size_t len);
	/* The body is whole; also called when there is none, and in a pause. May be NULL. */
	void (*on_body_end)(struct http_request *req);
	/* Output fell to the low mark. May be NULL. */
	void (*on_drain)(struct http_request *req);
	/* Last callback of a request: 0 the response is complete, else -errno (the connection
	 * broke, ran into a deadline, or sent a bad body). Exactly once; `req` is gone after it.
	 * May be NULL. */
	void (*on_end)(struct http_request *req, int why);
	/* A request was refused before on_request, with this status. May be NULL. */
	void (*on_refused)(struct http_conn *c, int status, const char *reason);
	/* Last callback of a connection; not called after a handover. May be NULL. */
	void (*on_close)(struct http_conn *c, int why);
};

/* Takes the stream over, in whatever state it is (a TLS handshake may still run). `ops` must
 * outlive it; `limits` NULL = defaults. NULL: out of memory, the stream is closed. */
struct http_conn *http_conn_new(struct stream *s, const struct http_server_ops *ops,
	const struct http_limits *limits, void *data);
void *http_conn_data(const struct http_conn *c);
struct stream *http_conn_stream(const struct http_conn *c);
/* At once; a running request gets on_end with `why` (0 becomes -ECANCELED). */
void http_conn_close(struct http_conn *c, int why);
/* Closes after the current response, or now when there is none. */
void http_conn_drain(struct http_conn *c);

const struct http_head *http_request_head(const struct http_request *req);
/* Valid at on_body_end. */
const struct http_head *http_request_trailers(const struct http_request *req);
struct http_conn *http_request_conn(const struct http_request *req);
/* The owner's pointer, NULL at first. */
void http_request_set_data(struct http_request *req, void *data);
void *http_request_data(const struct http_request *req);
/* Content-Length of the request; 0 = none, UINT64_MAX = chunked. */
uint64_t http_request_length(const struct http_request *req);
bool http_request_expects_continue(const struct http_request *req);
/* Sends 100 Continue, if it is awaited and has not been sent. Done by itself when on_request
 * returns with the body neither paused nor answered. */
void http_request_continue(struct http_request *req);
/* From on_request, paused: 100 Continue is not said by itself when the body may flow, but by
 * http_request_continue, or after a second. For proxies, which ask behind first (RFC 9110 10.1.1).
 */
void http_request_hold_continue(struct http_request *req);
void http_request_pause(struct http_request *req);
void http_request_resume(struct http_request *req);

/*
 * The response. Content-Length, Transfer-Encoding and Connection are written by us: those in `head`
 * are left out, but its Connection: close is heeded; Date is added where there is none. To HEAD,
 * and with 204 and 304, the body is swallowed. 0 or -errno; -EINVAL: head unfit (nothing was sent).
 */
int http_response_start(struct http_request *req, const struct http_head *head,
	enum http_framing framing, uint64_t len);
/* A 1xx but 101 before it; nothing for an HTTP/1.0 client. */
int http_response_interim(struct http_request *req, const struct http_head *head);
/* Copies. */
int http_response_write(struct http_request *req, const void *data, size_t len);
/* Complete. -EMSGSIZE (and the connection is closed) when LENGTH was promised and not met.
 * `trailers` may be NULL; only sent with CHUNKED. */
int http_response_end(struct http_request *req, const struct http_head *trailers);
/* Tells the client that it broke: closes without a proper end. */
void http_response_abort(struct http_request *req);
bool http_response_started(const struct http_request *req);
/* Of the response, 0 before it began, and how much of its body was written. Valid in on_end too. */
int http_response_status(const struct http_request *req);
uint64_t http_response_sent(const struct http_request *req);
/* What is written from here to http_response_flush, or to the end, goes out as one. */
void http_response_cork(struct http_request *req);
void http_response_flush(struct http_request *req);
bool http_response_is_full(const struct http_request *req);

/* Head, body and end in one call. `content_type` may be NULL. */
int http_respond(struct http_request *req, int status, const char *content_type, const void *body,
	size_t len);
/* The same with further headers: `extra`'s header list is used, its status is not. */
int http_respond_with(struct http_request *req, int status, const struct http_head *extra,
	const char *content_type, const void *body, size_t len);

/*
 * CONNECT and Upgrade: writes `head` (101 for Upgrade, 200 for CONNECT; NULL: nothing), lets go of
 * the stream and gives it back, paused, with what was read too far already in it (stream_unread).
 * on_end(0) is called from within, then request and connection are gone. The caller sets its own
 * callbacks (stream_set_ops), then stream_start_tls_server or stream_resume. NULL: not possible now
 * (a body is still being read, or a response began); nothing happened.
 */
struct stream *http_request_handover(struct http_request *req, const struct http_head *head);
/* CONNECT, or Connection: upgrade with an Upgrade header. */
bool http_request_is_connect(const struct http_request *req);
bool http_request_wants_upgrade(const struct http_request *req);
/*
 * Then there is no handover. What asks for WebSocket there (RFC 8441) is a GET with Upgrade, as in
 * HTTP/1.1 but without keys; a response of 200 and CHUNKED agrees to it, and bodies both ways are
 * the tunnel. It is to be paused until then.
 */
bool http_request_is_http2(const struct http_request *req);

/* -- Client -- */

struct http_client;

struct http_client_ops {
	/* The stream is open; not called when it was so already. May be NULL. */
	void (*on_open)(struct http_client *c);
	/* The final head, or 101. */
	void (*on_response)(struct http_client *c);
	/* A 1xx other than 101. May be NULL. */
	void (*on_interim)(struct http_client *c, const struct http_head *head);
	void (*on_body)(struct http_client *c, const void *data, size_t len);
	/* The response is whole (told in a pause, too). If http_client_is_idle, another request
	 * may be sent, also from within. */
	void (*on_response_end)(struct http_client *c);
	void (*on_drain)(struct http_client *c); /* may be NULL */
	/* All that came at one time was told: what was made of it may be sent. May be NULL. */
	void (*on_told)(struct http_client *c);
	/* Last callback; not called after a handover. 0: closed while idle, or by the owner with 0.
	 * -errno: failed; in the middle of a response that is how the owner learns of it.
	 * http_client_error tells more. */
	void (*on_close)(struct http_client *c, int why);
};

/* Takes the stream over (connecting, or open). NULL: out of memory, the stream is closed. */
struct http_client *http_client_new(struct stream *s, const struct http_client_ops *ops,
	const struct http_limits *limits, void *data);
void *http_client_data(const struct http_client *c);
/* For pools: another owner. Only while idle. */
void http_client_set_ops(struct http_client *c, const struct http_client_ops *ops, void *data);
struct stream *http_client_stream(const struct http_client *c);
/* Open, no exchange under way, fit for another. */
bool http_client_is_idle(const struct http_client *c);
/* Since when there is one, in ms. */
uint64_t http_client_age_ms(const struct http_client *c);
/* Has a byte of the answer to the last request come? Valid in on_close too. */
bool http_client_is_answered(const struct http_client *c);
bool http_client_is_http2(const struct http_client *c);
const char *http_client_error(const struct http_client *c);
/* What became of the peer's certificate; valid in on_close too. TLS_VERIFY_OK for a plain stream.
 */
enum tls_verify http_client_verify(const struct http_client *c);

/* Only while idle (else -EBUSY). Framing headers are ours, as for responses; Host must be in
 * `head`. */
int http_client_send(struct http_client *c, const struct http_head *head, enum http_framing framing,
	uint64_t len);
int http_client_write(struct http_client *c, const void *data, size_t len);
int http_client_end(struct http_client *c, const struct http_head *trailers);
bool http_client_is_full(const struct http_client *c);

/* From on_response on. */
const struct http_head *http_client_head(const struct http_client *c);
/* At on_response_end. */
const struct http_head *http_client_trailers(const struct http_client *c);
/* Of the response's body: 0 = none, UINT64_MAX = not known beforehand. */
uint64_t http_client_length(const struct http_client *c);
void http_client_pause(struct http_client *c);
void http_client_resume(struct http_client *c);
/* After a 101, or a 2xx to CONNECT: as http_request_handover. Call it from on_response. */
struct stream *http_client_handover(struct http_client *c);
void http_client_close(struct http_client *c, int why);

/* -- One exchange -- */

struct http_fetch;

struct http_result {
	int err;	   /* 0: there is a response, whatever its status; else -errno */
	const char *error; /* text for the log, "" = none */
	enum tls_verify verify;
	const struct http_head *head; /* NULL on error */
	char *body; /* NUL-terminated beyond len; set to NULL to keep it (then free it) */
	size_t len;
};
typedef void (*http_on_result)(struct http_result *res, void *data);

struct http_fetch_options {
	const struct sockaddr *to;    /* where to connect */
	struct tls_ctx *tls;	      /* NULL = plain */
	const char *name;	      /* TLS name; also the Host header when the head has none */
	const struct http_head *head; /* method, target, headers; copied */
	const void *body;	      /* copied */
	size_t len;
	size_t max_body;   /* of the response; 0 = 1 MiB; above it -EMSGSIZE */
	uint32_t total_ms; /* 0 = 30 s */
	const struct http_limits *limits;
};
/* 0 and one call of on_result from the loop, or -errno and none. */
int http_fetch(uv_loop_t *loop, const struct http_fetch_options *opt, http_on_result on_result,
	void *data, struct http_fetch **out);
/* Ends it without on_result. Not after on_result was called. */
void http_fetch_cancel(struct http_fetch *f);
