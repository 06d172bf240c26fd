/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http_internal.h"

/* From a callback of llhttp. */
static int refuse(struct http_parser *p, int status, const char *reason)
{
	http_parser_fail(p, status, reason);
	return HPE_USER;
}

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

void http_llhttp_init(struct http_parser *p)
{
	llhttp_t *ll = p->ll;

	llhttp_init(ll, p->is_response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
	ll->data = p;
}
