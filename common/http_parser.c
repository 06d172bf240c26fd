/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The message parser: llhttp behind a scanner of our own. The scanner finds the end of a head and
 * refuses what llhttp, depending on version and build, may let pass; llhttp sees a head only when
 * it is whole, so that how the bytes were split cannot matter.
 */
#include <errno.h>
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_internal.h"

/* Chunk framing beyond this and 16 bytes per body byte is an attack (extensions). */
#define OVERHEAD_FREE	  65536
#define OVERHEAD_PER_BYTE 16

enum http_event http_parser_fail(struct http_parser *p, int status, const char *reason)
{
	/* The first says it. */
	if (p->phase != HTTP_PHASE_FAILED) {
		p->status = status;
		p->reason = reason;
	}
	p->phase = HTTP_PHASE_FAILED;
	return HTTP_EVENT_ERROR;
}

static enum http_event fail_llhttp(struct http_parser *p, llhttp_errno_t err)
{
	switch (err) {
	case HPE_INVALID_METHOD:
		return http_parser_fail(p, 501, "unknown method");
	case HPE_INVALID_VERSION:
		return http_parser_fail(p, 505, "HTTP version not supported");
	default:
		return http_parser_fail(p, 400, "malformed message");
	}
}

static bool is_pause(llhttp_errno_t err)
{
	return err == HPE_PAUSED || err == HPE_PAUSED_UPGRADE || err == HPE_PAUSED_H2_UPGRADE;
}

/* Runs llhttp over a whole head or trailer, which must end just where the scanner says. */
static enum http_event run_block(struct http_parser *p, const char *block, size_t len)
{
	bool is_head = p->phase == HTTP_PHASE_HEAD;
	llhttp_t *ll = p->ll;
	llhttp_errno_t err;

	llhttp_resume(ll);
	err = llhttp_execute(ll, block, len);
	if (p->phase == HTTP_PHASE_FAILED)
		return HTTP_EVENT_ERROR;
	if (err && !is_pause(err))
		return fail_llhttp(p, err);
	if (!(is_head ? p->head_done : p->message_done) ||
		(is_pause(err) && llhttp_get_error_pos(ll) < block + len - 1))
		return http_parser_fail(p, 400, "malformed message");
	buf_fini(&p->acc);
	buf_init(&p->acc, 0);
	p->name = p->value = p->url = NULL;
	return HTTP_EVENT_END;
}

static enum http_event next_head(struct http_parser *p, const char *data, size_t len, size_t *used)
{
	const char *block;
	size_t block_len;
	enum http_event ev = http_scan_block(p, data, len, used, &block, &block_len);

	if (ev == HTTP_EVENT_END)
		ev = run_block(p, block, block_len);
	if (ev != HTTP_EVENT_END)
		return ev;
	p->phase = p->message_done || p->upgraded ? HTTP_PHASE_END : HTTP_PHASE_BODY;
	return HTTP_EVENT_HEAD;
}

static enum http_event next_trailer(
	struct http_parser *p, const char *data, size_t len, size_t *used)
{
	const char *block;
	size_t block_len;
	enum http_event ev = http_scan_block(p, data, len, used, &block, &block_len);

	if (ev == HTTP_EVENT_END)
		ev = run_block(p, block, block_len);
	if (ev == HTTP_EVENT_END)
		p->phase = HTTP_PHASE_OVER;
	return ev;
}

static enum http_event next_body(struct http_parser *p, const char *data, size_t len, size_t *used)
{
	llhttp_t *ll = p->ll;
	llhttp_errno_t err;

	p->body_len = 0;
	llhttp_resume(ll);
	err = llhttp_execute(ll, data, len);
	if (p->phase == HTTP_PHASE_FAILED)
		return HTTP_EVENT_ERROR;
	if (err && !is_pause(err))
		return fail_llhttp(p, err);
	*used = err ? (size_t)(llhttp_get_error_pos(ll) - data) : len;
	p->overhead += *used - p->body_len;
	if (p->overhead > OVERHEAD_FREE + OVERHEAD_PER_BYTE * p->received)
		return http_parser_fail(p, 400, "too much chunk framing");
	if (p->last_chunk) {
		p->phase = HTTP_PHASE_TRAILER;
		p->scan = HTTP_SCAN_LINE;
		p->scanned = 0;
	} else if (p->message_done || p->received == p->length) {
		/* llhttp would say the second only when called once more. */
		p->phase = HTTP_PHASE_END;
	}
	return p->body_len ? HTTP_EVENT_BODY : HTTP_EVENT_MORE;
}

enum http_event http_parser_next(struct http_parser *p, const char *data, size_t len, size_t *used)
{
	enum http_event ev = HTTP_EVENT_MORE;
	size_t n;

	*used = 0;
	do {
		n = 0;
		switch (p->phase) {
		case HTTP_PHASE_HEAD:
			ev = next_head(p, data, len, &n);
			break;
		case HTTP_PHASE_BODY:
			ev = next_body(p, data, len, &n);
			break;
		case HTTP_PHASE_TRAILER:
			ev = next_trailer(p, data, len, &n);
			break;
		case HTTP_PHASE_END:
			p->phase = HTTP_PHASE_OVER;
			return HTTP_EVENT_END;
		case HTTP_PHASE_OVER:
			return HTTP_EVENT_MORE;
		case HTTP_PHASE_FAILED:
			return HTTP_EVENT_ERROR;
		}
		*used += n;
		data += n;
		len -= n;
	} while (ev == HTTP_EVENT_MORE && (len || p->phase == HTTP_PHASE_END));
	return ev;
}

enum http_event http_parser_finish(struct http_parser *p)
{
	if (p->phase == HTTP_PHASE_FAILED)
		return HTTP_EVENT_ERROR;
	if (p->phase == HTTP_PHASE_BODY && p->until_eof) {
		p->phase = HTTP_PHASE_OVER;
		return HTTP_EVENT_END;
	}
	if (p->phase == HTTP_PHASE_HEAD && !http_parser_is_partial(p))
		return HTTP_EVENT_MORE;
	return http_parser_fail(p, 400, "ended in the middle of a message");
}

bool http_parser_is_partial(const struct http_parser *p)
{
	return p->phase == HTTP_PHASE_HEAD && p->scanned > 0;
}

int http_parser_init(struct http_parser *p, bool is_response, const struct http_limits *limits)
{
	memset(p, 0, sizeof(*p));
	p->ll = malloc(sizeof(llhttp_t));
	if (!p->ll)
		return -ENOMEM;
	p->is_response = is_response;
	p->limits = http_limits_filled(limits);
	http_parser_reset(p);
	return 0;
}

void http_parser_reset(struct http_parser *p)
{
	http_llhttp_init(p);
	http_head_fini(&p->head);
	http_head_fini(&p->trailers);
	buf_fini(&p->acc);
	buf_init(&p->acc, 0);
	p->phase = HTTP_PHASE_HEAD;
	p->scan = HTTP_SCAN_FIRST;
	p->scanned = 0;
	p->spaces = 0;
	p->length = p->received = p->overhead = 0;
	p->until_eof = p->keep_alive = p->upgraded = false;
	p->head_done = p->message_done = p->last_chunk = false;
	p->body = p->name = p->value = p->url = NULL;
	p->body_len = p->name_len = p->value_len = p->url_len = 0;
	p->status = 0;
	p->reason = "";
}

void http_parser_fini(struct http_parser *p)
{
	http_head_fini(&p->head);
	http_head_fini(&p->trailers);
	buf_fini(&p->acc);
	free(p->ll);
	p->ll = NULL;
}
