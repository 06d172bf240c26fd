/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of http.h's implementation share: the parser without I/O, and the writing of
 * messages. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>

#include "common/buf.h"
#include "common/http.h"

/* -- Heads -- */

/* Adds strings that were checked before. 0 or -ENOMEM. */
int http_head_add_n(struct http_head *h, const char *name, size_t name_len, const char *value,
	size_t value_len);
/* Without case. Most names differ in their first letter: most comparisons are no call. */
static inline bool http_name_is(const char *name, const char *other)
{
	return (name[0] | 0x20) == (other[0] | 0x20) && !strcasecmp(name, other);
}
/* A copy that lives in the head; NULL: out of memory. */
char *http_head_strndup(struct http_head *h, const char *text, size_t len);
/* Defaults for the zero sizes. */
struct http_limits http_limits_filled(const struct http_limits *limits);

/* -- Parser: bytes in, events out, no I/O -- */

enum http_event {
	HTTP_EVENT_MORE,  /* all bytes used, needs more */
	HTTP_EVENT_HEAD,  /* parser.head is there */
	HTTP_EVENT_BODY,  /* body, body_len: a piece, inside the bytes given */
	HTTP_EVENT_END,	  /* the message is whole; http_parser_reset before the next */
	HTTP_EVENT_ERROR, /* parser.status and parser.reason say why; nothing more comes */
};

enum http_phase {
	HTTP_PHASE_HEAD,
	HTTP_PHASE_BODY,
	HTTP_PHASE_TRAILER,
	HTTP_PHASE_END, /* the event is to be told */
	HTTP_PHASE_OVER,
	HTTP_PHASE_FAILED,
};

/* Where the scanner stands in a head or trailer. */
enum http_scan {
	HTTP_SCAN_FIRST,    /* before the start line */
	HTTP_SCAN_FIRST_LF, /* an empty line before it */
	HTTP_SCAN_START_LINE,
	HTTP_SCAN_LINE, /* at the start of a header line */
	HTTP_SCAN_NAME,
	HTTP_SCAN_VALUE,
	HTTP_SCAN_LF,	  /* after CR */
	HTTP_SCAN_END_LF, /* after the CR of the empty line */
	HTTP_SCAN_END,
};

struct http_parser {
	void *ll; /* llhttp_t */
	struct http_limits limits;
	bool is_response;
	bool to_head;	 /* response: to a HEAD request */
	bool to_connect; /* response: to a CONNECT request */
	enum http_phase phase;
	enum http_scan scan;
	struct buf acc;	 /* a head or trailer that came in pieces */
	size_t scanned;	 /* bytes of it so far */
	unsigned spaces; /* in the start line */
	struct http_head head, trailers;
	uint64_t length; /* of the body as declared; 0 = none, UINT64_MAX = chunked or to the end */
	bool until_eof;
	bool keep_alive;   /* as the message says */
	bool upgraded;	   /* after this head the bytes are another protocol */
	uint64_t received; /* body bytes */
	uint64_t overhead; /* chunk framing bytes */
	const char *body;
	size_t body_len;
	int status; /* of an error */
	const char *reason;
	/* Within one call. */
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
	const char *url;
	size_t url_len;
	bool head_done, message_done, last_chunk;
};

int http_parser_init(struct http_parser *p, bool is_response, const struct http_limits *limits);
void http_parser_fini(struct http_parser *p);
/* Ready for the next message. */
void http_parser_reset(struct http_parser *p);
/* Goes on to the next event; *used bytes of `data` are done with. */
enum http_event http_parser_next(struct http_parser *p, const char *data, size_t len, size_t *used);
/* The stream ended here: END for a response that lasts until then, MORE when between messages, else
 * ERROR. */
enum http_event http_parser_finish(struct http_parser *p);
/* Some bytes of a head have come, but not all. */
bool http_parser_is_partial(const struct http_parser *p);

/* For the files of the parser only. */
/* It failed: the first call says why. HTTP_EVENT_ERROR. */
enum http_event http_parser_fail(struct http_parser *p, int status, const char *reason);
/* Scans up to the end of the head or trailer. MORE: everything taken, not complete. END: complete;
 * *block is the whole of it, within data or p->acc. ERROR. */
enum http_event http_scan_block(struct http_parser *p, const char *data, size_t len, size_t *used,
	const char **block, size_t *block_len);
/* Makes llhttp ready for the next message; its callbacks judge a head and fill p. */
void http_llhttp_init(struct http_parser *p);

/* -- Writing -- */

/* How much of a body is still to be written. */
struct http_body_out {
	enum http_framing framing;
	uint64_t left;	   /* LENGTH */
	bool is_swallowed; /* HEAD, 204, 304 */
	uint64_t sent;	   /* bytes of the body, not of its framing */
};

/* What the connection adds to a head. */
struct http_framing_lines {
	bool is_request;
	enum http_framing framing;
	uint64_t len;
	bool say_length; /* false for 1xx, 204, 2xx to CONNECT: neither length nor encoding */
	const char *connection; /* value of Connection, or NULL */
};

/* Appends the head with its framing. 0, -EINVAL (unfit), -ENOMEM. */
int http_encode_head(struct buf *b, const struct http_head *h, const struct http_framing_lines *f);
/* 0, -EMSGSIZE more than promised, or what the stream says. */
int http_body_write(struct http_body_out *o, struct stream *s, const void *data, size_t len);
int http_body_end(struct http_body_out *o, struct stream *s, const struct http_head *trailers);
/* Is this a name that we write ourselves? */
bool http_is_framing_header(const char *name);
