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
#include <strings.h>

#include "common/http_internal.h"

/* Chunk framing beyond this and 16 bytes per body byte is an attack (extensions). */
#define OVERHEAD_FREE	  65536
#define OVERHEAD_PER_BYTE 16

static enum http_event http_parser_fail(struct http_parser *p, int status, const char *reason)
{
	/* The first says it. */
	if (p->phase != HTTP_PHASE_FAILED) {
		p->status = status;
		p->reason = reason;
	}
	p->phase = HTTP_PHASE_FAILED;
	return HTTP_EVENT_ERROR;
}

/* From a callback of llhttp. */
static int refuse(struct http_parser *p, int status, const char *reason)
{
	http_parser_fail(p, status, reason);
	return HPE_USER;
}

/* -- llhttp's callbacks -- */

static int on_url(llhttp_t *ll, const char *at, size_t len)
{
	struct http_parser *p = ll->data;

	p->url = at;
	p->url_len = len;
	return 0;
}

static int on_status(llhttp_t *ll, const char *at, size_t len)
{
	struct http_parser *p = ll->data;

	p->head.reason = http_head_strndup(&p->head, at, len);
	return p->head.reason ? 0 : refuse(p, 503, "out of memory");
}

static int on_field(llhttp_t *ll, const char *at, size_t len)
{
	struct http_parser *p = ll->data;

	p->name = at;
	p->name_len = len;
	p->value = "";
	p->value_len = 0;
	return 0;
}

static int on_value(llhttp_t *ll, const char *at, size_t len)
{
	struct http_parser *p = ll->data;

	p->value = at;
	p->value_len = len;
	return 0;
}

static int on_value_complete(llhttp_t *ll)
{
	struct http_parser *p = ll->data;
	struct http_head *h = p->phase == HTTP_PHASE_TRAILER ? &p->trailers : &p->head;

	while (p->value_len &&
		(p->value[p->value_len - 1] == ' ' || p->value[p->value_len - 1] == '\t'))
		p->value_len--;
	if (p->head.n_headers + p->trailers.n_headers >= p->limits.max_headers)
		return refuse(p, 431, "too many headers");
	if (http_head_add_n(h, p->name, p->name_len, p->value, p->value_len))
		return refuse(p, 503, "out of memory");
	return 0;
}

static int check_host(struct http_parser *p)
{
	const struct http_head *h = &p->head;
	size_t i = http_head_find(h, "host", 0);

	if (i == h->n_headers)
		return h->minor ? refuse(p, 400, "no Host header") : 0;
	if (http_head_find(h, "host", i + 1) != h->n_headers)
		return refuse(p, 400, "more than one Host header");
	if (strpbrk(h->headers[i].value, " \t,/\\?#@<>\""))
		return refuse(p, 400, "bad Host header");
	return 0;
}

/* RFC 9112 6.3, without any of its leniency. */
static int check_framing(struct http_parser *p, bool *has_encoding)
{
	const struct http_head *h = &p->head;
	size_t cl = http_head_find(h, "content-length", 0);
	size_t te = http_head_find(h, "transfer-encoding", 0);
	bool has_length = cl < h->n_headers;

	*has_encoding = te < h->n_headers;
	if (has_length && http_head_find(h, "content-length", cl + 1) < h->n_headers)
		return refuse(p, 400, "more than one Content-Length");
	if (has_length && *has_encoding)
		return refuse(p, 400, "Content-Length together with Transfer-Encoding");
	if (!*has_encoding)
		return 0;
	if (!h->minor)
		return refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
	if (http_head_find(h, "transfer-encoding", te + 1) < h->n_headers)
		return refuse(p, 400, "more than one Transfer-Encoding");
	if (strcasecmp(h->headers[te].value, "chunked") != 0)
		return refuse(p, 501, "unknown Transfer-Encoding");
	return 0;
}

/* host:port (RFC 9112 3.2.3) */
static bool is_authority(const char *target)
{
	const char *colon = strrchr(target, ':');
	size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;

	return colon && colon > target && digits && digits <= 5 && !colon[1 + digits] &&
	       strtoul(colon + 1, NULL, 10) - 1 < 65535 && !strpbrk(target, "/?#@\\");
}

static int check_request(struct http_parser *p, llhttp_t *ll, bool has_encoding)
{
	struct http_head *h = &p->head;
	const char *expect = http_head_get(h, "expect");

	if (p->url_len > p->limits.max_target)
		return refuse(p, 414, "target too long");
	for (size_t i = 0; i < p->url_len; i++)
		if ((unsigned char)p->url[i] <= ' ' || (unsigned char)p->url[i] >= 0x7f)
			return refuse(p, 400, "bad byte in the target");
	h->method = llhttp_method_name(ll->method);
	h->target = http_head_strndup(h, p->url, p->url_len);
	if (!h->target)
		return refuse(p, 503, "out of memory");
	if (expect && strcasecmp(expect, "100-continue") != 0)
		return refuse(p, 417, "unknown expectation");
	if (ll->method == HTTP_CONNECT) {
		if (has_encoding || http_head_get(h, "content-length"))
			return refuse(p, 400, "CONNECT with a body");
		if (!is_authority(h->target))
			return refuse(p, 400, "CONNECT without host and port");
	} else {
		/* Whether to upgrade is for the owner to say; until then it is HTTP. */
		ll->upgrade = 0;
	}
	return check_host(p);
}

static bool response_has_body(const struct http_parser *p)
{
	int status = p->head.status;

	return !p->to_head && status >= 200 && status != 204 && status != 304;
}

/* 0 or llhttp's answers of on_headers_complete: 1 no body, 2 no body and another protocol. */
static int judge_response(struct http_parser *p)
{
	int status = p->head.status;

	p->upgraded = status == 101 || (p->to_connect && status >= 200 && status < 300);
	if (p->upgraded)
		return 2;
	return response_has_body(p) ? 0 : 1;
}

static int on_headers_complete(llhttp_t *ll)
{
	struct http_parser *p = ll->data;
	bool has_encoding;
	int ret;

	p->head_done = true;
	if (ll->http_major != 1 || ll->http_minor > 1)
		return refuse(p, 505, "HTTP version not supported");
	p->head.minor = ll->http_minor;
	p->head.status = p->is_response ? ll->status_code : 0;
	if (p->is_response && p->head.status < 100)
		return refuse(p, 400, "bad status");
	ret = check_framing(p, &has_encoding);
	if (ret)
		return ret;
	if (p->is_response) {
		ret = judge_response(p);
	} else {
		ret = check_request(p, ll, has_encoding);
		if (ret)
			return ret;
		p->upgraded = ll->method == HTTP_CONNECT;
	}
	p->keep_alive = p->head.minor ? !http_head_has_token(&p->head, "connection", "close")
				      : http_head_has_token(&p->head, "connection", "keep-alive");
	if (ret || p->upgraded)
		p->length = 0;
	else if (has_encoding)
		p->length = UINT64_MAX;
	else if (http_head_get(&p->head, "content-length"))
		p->length = ll->content_length;
	else if (p->is_response)
		p->until_eof = true;
	if (p->until_eof) {
		p->length = UINT64_MAX;
		p->keep_alive = false;
	}
	if (p->limits.max_body && p->length != UINT64_MAX && p->length > p->limits.max_body)
		return refuse(p, 413, "body too large");
	return ret;
}

static int on_body(llhttp_t *ll, const char *at, size_t len)
{
	struct http_parser *p = ll->data;

	if (!len)
		return 0;
	p->body = at;
	p->body_len = len;
	p->received += len;
	if (p->limits.max_body && p->received > p->limits.max_body)
		return refuse(p, 413, "body too large");
	return HPE_PAUSED;
}

static int on_chunk_header(llhttp_t *ll)
{
	struct http_parser *p = ll->data;

	if (ll->content_length)
		return 0;
	p->last_chunk = true;
	return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *ll)
{
	struct http_parser *p = ll->data;

	p->message_done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_status = on_status,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_chunk_header = on_chunk_header,
	.on_message_complete = on_message_complete,
};

static void http_llhttp_init(struct http_parser *p)
{
	llhttp_t *ll = p->ll;

	llhttp_init(ll, p->is_response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
	ll->data = p;
}

/* -- The scanner -- */

static bool is_control(unsigned char c)
{
	return (c < ' ' && c != '\t') || c == 0x7f;
}

/* One byte; NULL or what is wrong with it. */
static const char *scan_byte(struct http_parser *p, unsigned char c)
{
	switch (p->scan) {
	case HTTP_SCAN_FIRST:
		if (c == '\r') {
			p->scan = HTTP_SCAN_FIRST_LF;
			return NULL;
		}
		p->scan = HTTP_SCAN_START_LINE;
		return c <= ' ' || c >= 0x7f ? "not HTTP" : NULL;
	case HTTP_SCAN_FIRST_LF:
		p->scan = HTTP_SCAN_FIRST;
		return c == '\n' ? NULL : "bare CR";
	case HTTP_SCAN_START_LINE:
	case HTTP_SCAN_VALUE:
		if (p->scan == HTTP_SCAN_START_LINE)
			p->spaces += c == ' ';
		if (c == '\r')
			p->scan = HTTP_SCAN_LF;
		else if (c == '\n')
			return "bare LF";
		else if (is_control(c))
			return "control character";
		return NULL;
	case HTTP_SCAN_LF:
		p->scan = HTTP_SCAN_LINE;
		if (c != '\n')
			return "bare CR";
		return !p->is_response && p->spaces != 2 ? "bad request line" : NULL;
	case HTTP_SCAN_LINE:
		if (c == '\r') {
			p->scan = HTTP_SCAN_END_LF;
			return NULL;
		}
		if (c == ' ' || c == '\t')
			return "folded header";
		p->scan = HTTP_SCAN_NAME;
		return c == ':' || is_control(c) ? "bad header name" : NULL;
	case HTTP_SCAN_NAME:
		if (c == ':')
			p->scan = HTTP_SCAN_VALUE;
		else if (c <= ' ' || c >= 0x7f)
			return "bad header name";
		return NULL;
	case HTTP_SCAN_END_LF:
		p->scan = HTTP_SCAN_END;
		return c == '\n' ? NULL : "bare CR";
	case HTTP_SCAN_END:
		break;
	}
	return "scanned too far";
}

/* Status for a head that is too large. */
static enum http_event fail_size(struct http_parser *p)
{
	if (p->scan == HTTP_SCAN_START_LINE)
		return http_parser_fail(p, 414, "target too long");
	return http_parser_fail(p, 431, "head too large");
}

/*
 * Scans up to the end of the head or trailer. MORE: everything taken, not complete. END: complete;
 * *block is the whole of it. ERROR.
 */
static enum http_event http_scan_block(struct http_parser *p, const char *data, size_t len,
	size_t *used, const char **block, size_t *block_len)
{
	size_t i = 0;

	while (i < len && p->scan != HTTP_SCAN_END) {
		const char *wrong;

		if (p->scanned + i >= p->limits.max_head_bytes)
			return fail_size(p);
		wrong = scan_byte(p, (unsigned char)data[i++]);
		if (wrong)
			return http_parser_fail(p, 400, wrong);
		if (p->scan == HTTP_SCAN_START_LINE && p->scanned + i > p->limits.max_target + 64)
			return fail_size(p);
	}
	*used = i;
	p->scanned += i;
	*block = data;
	*block_len = i;
	if (p->acc.len || p->scan != HTTP_SCAN_END) {
		if (buf_append(&p->acc, data, i))
			return http_parser_fail(p, 503, "out of memory");
		*block = (const char *)p->acc.data;
		*block_len = p->acc.len;
	}
	return p->scan == HTTP_SCAN_END ? HTTP_EVENT_END : HTTP_EVENT_MORE;
}

/* -- Events -- */

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
