/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/path_store.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 1024

void path_store_fini(struct path_store *s)
{
	free(s->data);
	*s = (struct path_store){ 0 };
}

void path_store_clear(struct path_store *s)
{
	s->count = 0;
}

static int reserve(struct path_store *s, uint32_t len)
{
	uint32_t cap = s->cap ? s->cap : CAP_MIN;

	while (cap < len)
		cap *= 2;
	if (cap == s->cap)
		return 0;
	uint8_t *data = realloc(s->data, cap);
	if (!data)
		return -ENOMEM;
	s->data = data;
	s->cap = cap;
	return 0;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Does what is there agree with the span's bytes? */
static int agrees(const struct path_store *s, struct path_span p, const uint8_t *data)
{
	for (unsigned i = 0; i < s->count; i++) {
		uint32_t from = larger(p.from, s->spans[i].from);
		uint32_t to = smaller(p.to, s->spans[i].to);

		if (from < to && memcmp(s->data + from, data + (from - p.from), to - from))
			return 0;
	}
	return 1;
}

/* Joins the span with those that it touches. first: the first of these, or where it is to stand;
 * behind: the one behind the last. */
static int join(struct path_store *s, struct path_span p)
{
	unsigned first = 0, behind;

	while (first < s->count && s->spans[first].to < p.from)
		first++;
	for (behind = first; behind < s->count && s->spans[behind].from <= p.to; behind++) {
		p.from = smaller(p.from, s->spans[behind].from);
		p.to = larger(p.to, s->spans[behind].to);
	}
	if (first == behind && s->count == PATH_STORE_SPANS)
		return -ENOSPC;
	memmove(&s->spans[first + 1], &s->spans[behind], (s->count - behind) * sizeof(s->spans[0]));
	s->count = s->count - (behind - first) + 1;
	s->spans[first] = p;
	return 0;
}

int path_store_put(struct path_store *s, uint32_t offset, const void *data, size_t len)
{
	if (!len)
		return 0;
	if (offset >= PATH_STORE_MAX || len > PATH_STORE_MAX - offset)
		return -ENOSPC;
	struct path_span p = { offset, offset + (uint32_t)len };
	if (!agrees(s, p, data))
		return -EEXIST;
	int err = reserve(s, p.to);
	if (!err)
		err = join(s, p);
	if (!err)
		memcpy(s->data + offset, data, len);
	return err;
}

size_t path_store_prefix(const struct path_store *s)
{
	return s->count && !s->spans[0].from ? s->spans[0].to : 0;
}
