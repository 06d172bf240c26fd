/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http_internal.h"

#define BLOCK_SIZE 2048

struct http_block {
	struct http_block *next;
	size_t used, size;
	char data[];
};

void http_head_init(struct http_head *h)
{
	memset(h, 0, sizeof(*h));
	h->minor = 1;
}

void http_head_fini(struct http_head *h)
{
	while (h->blocks) {
		struct http_block *b = h->blocks;

		h->blocks = b->next;
		free(b);
	}
	free(h->headers);
	http_head_init(h);
}

char *http_head_strndup(struct http_head *h, const char *text, size_t len)
{
	struct http_block *b = h->blocks;
	char *copy;

	if (!b || b->size - b->used < len + 1) {
		size_t size = len + 1 > BLOCK_SIZE ? len + 1 : BLOCK_SIZE;

		b = malloc(sizeof(*b) + size);
		if (!b)
			return NULL;
		b->size = size;
		b->used = 0;
		b->next = h->blocks;
		h->blocks = b;
	}
	copy = b->data + b->used;
	memcpy(copy, text, len);
	copy[len] = '\0';
	b->used += len + 1;
	return copy;
}

int http_head_add_n(
	struct http_head *h, const char *name, size_t name_len, const char *value, size_t value_len)
{
	struct http_header *header;

	if (h->n_headers == h->headers_cap) {
		size_t cap = h->headers_cap ? h->headers_cap * 2 : 16;
		struct http_header *more = realloc(h->headers, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		h->headers = more;
		h->headers_cap = cap;
	}
	header = &h->headers[h->n_headers];
	header->name = http_head_strndup(h, name, name_len);
	header->value = http_head_strndup(h, value, value_len);
	if (!header->name || !header->value)
		return -ENOMEM;
	h->n_headers++;
	h->bytes += name_len + value_len;
	return 0;
}

/* RFC 9110 5.6.2 */
static bool is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("!#$%&'*+-.^_`|~", *s))
			return false;
	return true;
}

/* Tab, space and above; no CR, LF or other control characters. */
static bool is_value(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

static bool is_target(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

int http_head_set_request(struct http_head *h, const char *method, const char *target)
{
	if (!is_token(method) || !is_target(target))
		return -EINVAL;
	h->method = http_head_strndup(h, method, strlen(method));
	h->target = http_head_strndup(h, target, strlen(target));
	return h->method && h->target ? 0 : -ENOMEM;
}

int http_head_set_status(struct http_head *h, int status)
{
	if (status < 100 || status > 999)
		return -EINVAL;
	h->status = status;
	return 0;
}

int http_head_add(struct http_head *h, const char *name, const char *value)
{
	size_t len;

	if (!is_token(name) || !is_value(value))
		return -EINVAL;
	while (*value == ' ' || *value == '\t')
		value++;
	len = strlen(value);
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	return http_head_add_n(h, name, strlen(name), value, len);
}

int http_head_set(struct http_head *h, const char *name, const char *value)
{
	if (!is_token(name) || !is_value(value))
		return -EINVAL;
	http_head_remove(h, name);
	return http_head_add(h, name, value);
}

size_t http_head_remove(struct http_head *h, const char *name)
{
	size_t kept = 0, before = h->n_headers;

	for (size_t i = 0; i < before; i++)
		if (!http_name_is(h->headers[i].name, name))
			h->headers[kept++] = h->headers[i];
	h->n_headers = kept;
	return before - kept;
}

size_t http_head_find(const struct http_head *h, const char *name, size_t i)
{
	while (i < h->n_headers && !http_name_is(h->headers[i].name, name))
		i++;
	return i;
}

const char *http_head_get(const struct http_head *h, const char *name)
{
	size_t i = http_head_find(h, name, 0);

	return i < h->n_headers ? h->headers[i].value : NULL;
}

/* The next element of a comma list; false at its end. */
static bool next_token(const char **p, const char **token, size_t *len)
{
	const char *s = *p;

	while (*s == ' ' || *s == '\t' || *s == ',')
		s++;
	if (!*s)
		return false;
	*token = s;
	*len = strcspn(s, ",");
	*p = s + *len;
	while (*len && ((*token)[*len - 1] == ' ' || (*token)[*len - 1] == '\t'))
		(*len)--;
	return true;
}

bool http_head_has_token(const struct http_head *h, const char *name, const char *token)
{
	size_t want = strlen(token), len;

	for (size_t i = 0; (i = http_head_find(h, name, i)) < h->n_headers; i++) {
		const char *p = h->headers[i].value, *t;

		while (next_token(&p, &t, &len))
			if (len == want && !strncasecmp(t, token, len))
				return true;
	}
	return false;
}

/* Removes what Connection names. It may not name what carries meaning end to end. */
static void strip_named(struct http_head *h)
{
	static const char *const kept[] = { "host", "content-length", "content-type", "cookie",
		"set-cookie", "authorization", "content-encoding", "cache-control", "date" };
	size_t n = h->n_headers;

	for (size_t i = 0; i < n; i++) {
		const char *p = h->headers[i].value, *t;
		size_t len;

		if (!http_name_is(h->headers[i].name, "connection"))
			continue;
		while (next_token(&p, &t, &len)) {
			bool keep = false;

			for (size_t k = 0; k < sizeof(kept) / sizeof(kept[0]); k++)
				keep |= strlen(kept[k]) == len && !strncasecmp(kept[k], t, len);
			for (size_t k = 0; !keep && k < h->n_headers; k++)
				if (strlen(h->headers[k].name) == len &&
					!strncasecmp(h->headers[k].name, t, len) &&
					strcasecmp(h->headers[k].name, "connection") != 0)
					h->headers[k].name = "";
		}
	}
	http_head_remove(h, "");
}

void http_head_strip_hop(struct http_head *h)
{
	static const char *const hop[] = { "connection", "keep-alive", "proxy-connection",
		"proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
		"upgrade" };

	strip_named(h);
	for (size_t i = 0; i < sizeof(hop) / sizeof(hop[0]); i++)
		http_head_remove(h, hop[i]);
}

int http_head_copy(struct http_head *to, const struct http_head *from)
{
	http_head_init(to);
	to->status = from->status;
	to->minor = from->minor;
	if (from->method)
		to->method = http_head_strndup(to, from->method, strlen(from->method));
	if (from->target)
		to->target = http_head_strndup(to, from->target, strlen(from->target));
	if (from->reason)
		to->reason = http_head_strndup(to, from->reason, strlen(from->reason));
	if ((from->method && !to->method) || (from->target && !to->target) ||
		(from->reason && !to->reason))
		goto fail;
	for (size_t i = 0; i < from->n_headers; i++) {
		const struct http_header *f = &from->headers[i];

		if (http_head_add_n(to, f->name, strlen(f->name), f->value, strlen(f->value)))
			goto fail;
	}
	return 0;
fail:
	http_head_fini(to);
	return -ENOMEM;
}

const struct http_limits http_default_limits = {
	.max_headers = 100,
	.max_head_bytes = 65536,
	.max_target = 16384,
	.header_ms = 10000,
	.idle_ms = 60000,
	.body_min_rate = 100,
};

struct http_limits http_limits_filled(const struct http_limits *limits)
{
	struct http_limits l = limits ? *limits : http_default_limits;

	if (!l.max_headers)
		l.max_headers = http_default_limits.max_headers;
	if (!l.max_head_bytes)
		l.max_head_bytes = http_default_limits.max_head_bytes;
	if (!l.max_target)
		l.max_target = http_default_limits.max_target;
	return l;
}

/* RFC 9110 section 15, and what IANA has registered since. */
static const struct {
	int status;
	const char *text;
} status_texts[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 103, "Early Hints" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 203, "Non-Authoritative Information" },
	{ 204, "No Content" },
	{ 205, "Reset Content" },
	{ 206, "Partial Content" },
	{ 300, "Multiple Choices" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 407, "Proxy Authentication Required" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 426, "Upgrade Required" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 451, "Unavailable For Legal Reasons" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 511, "Network Authentication Required" },
};

const char *http_status_text(int status)
{
	for (size_t i = 0; i < sizeof(status_texts) / sizeof(status_texts[0]); i++)
		if (status_texts[i].status == status)
			return status_texts[i].text;
	return "";
}
