/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The HTTP parser. Input: a byte of flags, a byte that says how often to cut, that many bytes of
 * piece lengths, the message. Whatever the cuts, the same events must come (SPEC P17).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A running hash of all that was told. */
struct trace {
	uint64_t hash;
	int status;
	unsigned messages;
};

static void mix(struct trace *t, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		t->hash = (t->hash ^ *p++) * 0x100000001b3ULL;
}

static void mix_head(struct trace *t, const struct http_head *h)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		mix(t, h->headers[i].name, strlen(h->headers[i].name) + 1);
		mix(t, h->headers[i].value, strlen(h->headers[i].value) + 1);
	}
}

/* False: nothing more comes. */
static bool take(struct trace *t, struct http_parser *p, enum http_event ev)
{
	switch (ev) {
	case HTTP_EVENT_MORE:
		return true;
	case HTTP_EVENT_HEAD:
		mix_head(t, &p->head);
		return true;
	case HTTP_EVENT_BODY:
		mix(t, p->body, p->body_len);
		return true;
	case HTTP_EVENT_END:
		mix_head(t, &p->trailers);
		t->messages++;
		if (p->upgraded)
			return false;
		http_parser_reset(p);
		return true;
	case HTTP_EVENT_ERROR:
		t->status = p->status;
		return false;
	}
	return false;
}

/* Gives one piece in memory of its own size. */
static bool feed(struct trace *t, struct http_parser *p, const uint8_t *data, size_t len)
{
	char *copy = malloc(len + !len);
	size_t at = 0, used;
	enum http_event ev;
	bool go;

	memcpy(copy, data, len);
	do {
		ev = http_parser_next(p, copy + at, len - at, &used);
		if (used > len - at)
			abort();
		at += used;
		go = take(t, p, ev);
	} while (go && (at < len || ev != HTTP_EVENT_MORE));
	free(copy);
	return go;
}

static struct trace run(
	const uint8_t *cuts, size_t n_cuts, const uint8_t *data, size_t len, uint8_t flags)
{
	struct http_limits limits = http_default_limits;
	struct trace t = { .hash = 0xcbf29ce484222325ULL };
	struct http_parser p;
	bool go = true;

	if (flags & 8)
		limits.max_body = 64;
	if (http_parser_init(&p, flags & 1, &limits))
		abort();
	p.to_head = flags & 2;
	p.to_connect = flags & 4;
	for (size_t i = 0; i < n_cuts && go && len; i++) {
		size_t n = cuts[i] < len ? cuts[i] : len;

		go = feed(&t, &p, data, n);
		data += n;
		len -= n;
	}
	if (go)
		go = feed(&t, &p, data, len);
	if (go)
		take(&t, &p, http_parser_finish(&p));
	http_parser_fini(&p);
	return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n_cuts;
	struct trace a, b;

	if (size < 2)
		return 0;
	n_cuts = data[1] < size - 2 ? data[1] : size - 2;
	a = run(NULL, 0, data + 2 + n_cuts, size - 2 - n_cuts, data[0]);
	b = run(data + 2, n_cuts, data + 2 + n_cuts, size - 2 - n_cuts, data[0]);
	if (a.status != b.status || a.messages != b.messages || (!a.status && a.hash != b.hash))
		abort();
	return 0;
}
