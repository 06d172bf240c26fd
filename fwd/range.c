/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/range.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ranges_init(struct ranges *r, int family)
{
	*r = (struct ranges){ .addr_len = family == AF_INET ? 4 : 16 };
}

void ranges_fini(struct ranges *r)
{
	free(r->v);
	*r = (struct ranges){ .addr_len = r->addr_len };
}

static int append(struct ranges *r, const struct range *one)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 16;
		struct range *v = realloc(r->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n++] = *one;
	return 0;
}

int ranges_add_range(struct ranges *r, const struct range *one)
{
	return append(r, one);
}

int ranges_add(struct ranges *r, const struct prefix *p)
{
	if (addr_len(&p->addr) != r->addr_len)
		return 0;
	struct range one = { 0 };
	for (size_t i = 0; i < r->addr_len; i++) {
		size_t kept = p->len > i * 8 ? p->len - i * 8 : 0;
		uint8_t net = kept >= 8 ? 0xff : (uint8_t)(0xff00 >> kept);
		one.from[i] = p->addr.bytes[i] & net;
		one.to[i] = (uint8_t)(p->addr.bytes[i] | (uint8_t)~net);
	}
	return append(r, &one);
}

static int compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	int order = memcmp(x->from, y->from, sizeof(x->from));
	return order ? order : memcmp(x->to, y->to, sizeof(x->to));
}

bool range_successor(const uint8_t *addr, size_t addr_len, uint8_t *out)
{
	memcpy(out, addr, addr_len);
	for (size_t i = addr_len; i-- > 0;)
		if (++out[i])
			return true;
	return false;
}

static void predecessor(const uint8_t *addr, size_t addr_len, uint8_t *out)
{
	memcpy(out, addr, addr_len);
	for (size_t i = addr_len; i-- > 0;)
		if (out[i]--)
			return;
}

void ranges_normalise(struct ranges *r)
{
	if (r->n == 0)
		return;
	qsort(r->v, r->n, sizeof(*r->v), compare);
	size_t last = 0;
	for (size_t i = 1; i < r->n; i++) {
		uint8_t next[16] = { 0 };
		bool ends = !range_successor(r->v[last].to, r->addr_len, next);
		if (!ends && memcmp(r->v[i].from, next, r->addr_len) > 0)
			r->v[++last] = r->v[i];
		else if (memcmp(r->v[i].to, r->v[last].to, r->addr_len) > 0)
			memcpy(r->v[last].to, r->v[i].to, sizeof(r->v[i].to));
	}
	r->n = last + 1;
}

int ranges_complement(const struct ranges *from, struct ranges *out)
{
	static const uint8_t zero[16];
	*out = (struct ranges){ .addr_len = from->addr_len };
	struct range gap = { 0 };
	for (size_t i = 0; i < from->n; i++) {
		const struct range *taken = &from->v[i];
		if (memcmp(taken->from, gap.from, from->addr_len) > 0) {
			memcpy(gap.to, zero, sizeof(gap.to));
			predecessor(taken->from, from->addr_len, gap.to);
			int err = append(out, &gap);
			if (err)
				return err;
		}
		if (!range_successor(taken->to, from->addr_len, gap.from))
			return 0;
	}
	memset(gap.to, 0, sizeof(gap.to));
	memset(gap.to, 0xff, from->addr_len);
	return append(out, &gap);
}
