/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/records.h"

#include "common/addr.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RDATA_MAX 1024
#define TTL_MAX_S (7 * 86400)

/* Rdata being made from text. */
struct draft {
	uint8_t bytes[RDATA_MAX];
	size_t len;
	struct name target;
};

static int put(struct draft *d, const void *data, size_t len)
{
	if (len > RDATA_MAX - d->len)
		return -EINVAL;
	memcpy(d->bytes + d->len, data, len);
	d->len += len;
	return 0;
}

static int put_address(struct draft *d, const char *text, int family)
{
	struct addr a;

	if (addr_parse(text, &a) || a.family != family)
		return -EINVAL;
	return put(d, a.bytes, addr_len(&a));
}

static int put_name(struct draft *d, const char *text)
{
	if (!*text || name_parse(text, &d->target))
		return -EINVAL;
	int rc = put(d, d->target.wire, d->target.len);
	name_lower(&d->target);
	return rc;
}

static int put_number(struct draft *d, const char **text, size_t bytes)
{
	char *end;
	unsigned long value = strtoul(*text, &end, 10);
	uint8_t wire[2];

	if (!isdigit((unsigned char)**text) || *end != ' ' || value >= 1UL << (8 * bytes))
		return -EINVAL;
	*text = end + strspn(end, " ");
	message_put16(wire, (unsigned)value);
	return put(d, wire + 2 - bytes, bytes);
}

static int put_texts(struct draft *d, const char *text)
{
	size_t left = strlen(text);

	do {
		uint8_t n = (uint8_t)(left > 255 ? 255 : left);
		if (put(d, &n, 1) || put(d, text, n))
			return -EINVAL;
		text += n;
		left -= n;
	} while (left);
	return 0;
}

/* PREFERENCE NAME; PRIORITY WEIGHT PORT NAME. */
static int put_numbered_name(struct draft *d, const char *text, unsigned numbers)
{
	while (numbers--) {
		if (put_number(d, &text, 2))
			return -EINVAL;
	}
	return put_name(d, text);
}

/* FLAGS TAG VALUE, the value in quotes or not. */
static int put_caa(struct draft *d, const char *text)
{
	if (put_number(d, &text, 1))
		return -EINVAL;
	uint8_t tag = (uint8_t)strcspn(text, " ");
	if (!tag || text[tag] != ' ' || put(d, &tag, 1) || put(d, text, tag))
		return -EINVAL;
	text += tag + 1;
	size_t len = strlen(text);
	if (len >= 2 && *text == '"' && text[len - 1] == '"') {
		text++;
		len -= 2;
	}
	return put(d, text, len);
}

static int make(struct draft *d, const char *type, const char *value, uint16_t *out)
{
	static const struct {
		const char *text;
		uint16_t type;
	} types[] = { { "A", TYPE_A }, { "AAAA", TYPE_AAAA }, { "CNAME", TYPE_CNAME },
		{ "TXT", TYPE_TXT }, { "PTR", TYPE_PTR }, { "NS", TYPE_NS }, { "MX", TYPE_MX },
		{ "SRV", TYPE_SRV }, { "CAA", TYPE_CAA } };
	size_t i = 0, n = sizeof(types) / sizeof(types[0]);

	for (; i < n && strcasecmp(type, types[i].text) != 0; i++)
		;
	if (i == n)
		return -EINVAL;
	*out = types[i].type;
	switch (types[i].type) {
	case TYPE_A:
		return put_address(d, value, AF_INET);
	case TYPE_AAAA:
		return put_address(d, value, AF_INET6);
	case TYPE_TXT:
		return put_texts(d, value);
	case TYPE_MX:
		return put_numbered_name(d, value, 1);
	case TYPE_SRV:
		return put_numbered_name(d, value, 3);
	case TYPE_CAA:
		return put_caa(d, value);
	default:
		return put_name(d, value);
	}
}

/* Lower case, without the final dot; only what a question's text can be, and a first "*". */
static int take_name(const char *text, char out[static NAME_TEXT_MAX + 2])
{
	const char *rest = strncmp(text, "*.", 2) ? text : text + 2;
	struct name wire;
	char plain[NAME_TEXT_MAX];
	size_t len;

	if (!*rest || name_parse(rest, &wire) || !name_text(&wire, plain, &len) || !len)
		return -EINVAL;
	snprintf(out, NAME_TEXT_MAX + 2, "%s%s", rest == text ? "" : "*.", plain);
	return 0;
}

void records_init(struct records *r)
{
	hmap_init(&r->by_id, NULL);
	hmap_init(&r->by_name, NULL);
	r->retired = NULL;
	r->has_wildcards = false;
}

static void retire(struct records *r, struct record *one)
{
	if (!one)
		return;
	one->next_indexed = r->retired;
	r->retired = one;
}

static void free_retired(struct records *r)
{
	while (r->retired) {
		struct record *one = r->retired;

		r->retired = one->next_indexed;
		free(one);
	}
}

void records_fini(struct records *r)
{
	hmap_foreach (&r->by_id, it)
		free(it.value);
	hmap_fini(&r->by_name);
	hmap_fini(&r->by_id);
	free_retired(r);
}

int records_set(struct records *r, const char *id, const struct rec_dns_record *rec)
{
	struct draft d = { .len = 0 };
	char name[NAME_TEXT_MAX + 2];
	uint16_t type;

	if (!rec || take_name(rec->name, name) || make(&d, rec->type, rec->value, &type)) {
		retire(r, hmap_take_str(&r->by_id, id));
		return rec ? -EINVAL : 0;
	}
	struct record *fresh = calloc(1, sizeof(*fresh) + d.len);
	if (!fresh)
		return -ENOMEM;
	fresh->type = type;
	fresh->ttl_s = RECORD_TTL_S;
	if (rec_has(rec, dns_record, ttl) && rec->ttl >= 0 && rec->ttl <= TTL_MAX_S)
		fresh->ttl_s = (uint32_t)rec->ttl;
	memcpy(fresh->name, name, sizeof(name));
	fresh->target = d.target;
	fresh->len = d.len;
	memcpy(fresh->rdata, d.bytes, d.len);
	struct record *old = hmap_find_str(&r->by_id, id);
	if (hmap_set_str(&r->by_id, id, fresh)) {
		free(fresh);
		return -ENOMEM;
	}
	retire(r, old);
	return 0;
}

int records_index(struct records *r)
{
	struct hmap fresh;
	bool has_wildcards = false;

	hmap_init(&fresh, NULL);
	hmap_foreach (&r->by_id, it) {
		struct record *one = it.value;
		one->next_indexed = hmap_find_str(&fresh, one->name);
		has_wildcards |= one->name[0] == '*';
		if (hmap_set_str(&fresh, one->name, one)) {
			hmap_fini(&fresh);
			return -ENOMEM;
		}
	}
	hmap_foreach (&r->by_id, it) {
		struct record *one = it.value;
		one->next = one->next_indexed;
	}
	hmap_fini(&r->by_name);
	r->by_name = fresh;
	r->has_wildcards = has_wildcards;
	free_retired(r);
	return 0;
}

static const struct record *find_wildcard(const struct records *r, const char *name, size_t len)
{
	char key[NAME_TEXT_MAX + 2] = "*";
	const char *dot;

	while ((dot = memchr(name, '.', len))) {
		len -= (size_t)(dot - name);
		memcpy(key + 1, dot, len);
		const struct record *found = hmap_find(&r->by_name, key, len + 1);
		if (found)
			return found;
		name = dot + 1;
		len--;
	}
	return NULL;
}

const struct record *records_find(const struct records *r, const char *name, size_t len)
{
	if (!r->by_name.count)
		return NULL;
	const struct record *found = hmap_find(&r->by_name, name, len);
	return found || !r->has_wildcards ? found : find_wildcard(r, name, len);
}

const struct record *record_alias(const struct record *first)
{
	for (; first; first = first->next) {
		if (first->type == TYPE_CNAME)
			return first;
	}
	return NULL;
}
