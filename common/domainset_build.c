/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/domainset_build.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

struct domainset_builder *domainset_builder_new(void)
{
	struct domainset_builder *b = calloc(1, sizeof(*b));

	if (b && getrandom(b->key, sizeof(b->key), 0) != sizeof(b->key)) {
		free(b);
		return NULL;
	}
	return b;
}

static void drop_entries(struct domainset_builder *b)
{
	free(b->entries);
	free(b->lines);
	b->entries = NULL;
	b->lines = NULL;
	b->count = b->cap = b->line_count = b->line_cap = 0;
}

void domainset_builder_free(struct domainset_builder *b)
{
	if (!b)
		return;
	drop_entries(b);
	free(b);
}

int domainset_builder_set_key(struct domainset_builder *b, const uint8_t key[static 16])
{
	if (b->count)
		return -EBUSY;
	memcpy(b->key, key, sizeof(b->key));
	return 0;
}

unsigned domainset_labels(const char *name, size_t len)
{
	unsigned labels = 1;
	size_t label = 0;

	if (!len || len > 253)
		return 0;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (c == '.') {
			if (!label)
				return 0;
			label = 0;
			labels++;
		} else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
			   c == '_') {
			if (++label > 63)
				return 0;
		} else {
			return 0;
		}
	}
	return label ? labels : 0;
}

void domainset_class_add(
	struct domainset_class *c, unsigned list, enum domainset_kind kind, bool exception)
{
	bool is_paths = kind == DOMAINSET_EXACT_PATHS || kind == DOMAINSET_SUBTREE_PATHS;
	uint64_t *self = exception ? &c->except_self : is_paths ? &c->paths_self : &c->block_self;
	uint64_t *below = exception  ? &c->except_below
			  : is_paths ? &c->paths_below
				     : &c->block_below;

	if (kind != DOMAINSET_BELOW)
		*self |= 1ULL << list;
	if (kind != DOMAINSET_EXACT && kind != DOMAINSET_EXACT_PATHS)
		*below |= 1ULL << list;
}

/* Room for more entries and hashes of names above them. */
static int reserve(struct domainset_builder *b, size_t entries, size_t lines)
{
	void *p;

	if (b->count + entries > ENTRIES_MAX || b->line_count + lines > UINT32_MAX)
		return -E2BIG;
	if (b->count + entries > b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 4096;

		cap = cap < b->count + entries ? b->count + entries : cap;
		p = realloc(b->entries, cap * sizeof(*b->entries));
		if (!p)
			return -ENOMEM;
		b->entries = p;
		b->cap = cap;
	}
	if (b->line_count + lines > b->line_cap) {
		size_t cap = b->line_cap ? b->line_cap * 2 : 4096;

		cap = cap < b->line_count + lines ? b->line_count + lines : cap;
		p = realloc(b->lines, cap * sizeof(*b->lines));
		if (!p)
			return -ENOMEM;
		b->lines = p;
		b->line_cap = cap;
	}
	return 0;
}

/* Keeps the hashes of the names above; neighbours of one list often share them. */
static void add_line(
	struct domainset_builder *b, struct entry *e, const struct domainset_suffix *suffix)
{
	const struct entry *last = b->count ? &b->entries[b->count - 1] : NULL;

	if (!e->above)
		return;
	if (last && last->above == e->above &&
		b->lines[last->line + last->above - 1] == suffix[e->above].hash) {
		e->line = last->line;
		return;
	}
	e->line = (uint32_t)b->line_count;
	for (unsigned i = 1; i <= e->above; i++)
		b->lines[b->line_count++] = suffix[i].hash;
}

int domainset_builder_add(struct domainset_builder *b, const char *name, size_t len, unsigned list,
	enum domainset_kind kind, bool exception)
{
	struct domainset_suffix suffix[DOMAINSET_MAX_LABELS];
	unsigned labels = domainset_labels(name, len);
	struct entry e = { .list = (uint8_t)list, .kind = (uint8_t)kind, .exception = exception };
	int err;

	if (!labels || list > 63 || (unsigned)kind > DOMAINSET_SUBTREE_PATHS)
		return -EINVAL;
	err = reserve(b, 1, labels);
	if (err)
		return err;
	/* The hash of the top-level domain has no use but as a name of its own. */
	suffix[0].hash = 0;
	domainset_hash(b->key, name, len, DOMAINSET_MAX_LABELS,
		labels > 1 ? ~domainset_depth(1) : ~0ULL, suffix + (labels > 1));
	e.hash = suffix[labels - 1].hash;
	e.above = labels > 2 ? (uint8_t)(labels - 2) : 0;
	add_line(b, &e, suffix);
	b->entries[b->count++] = e;
	b->depths |= domainset_depth(labels);
	if (labels > b->max_labels)
		b->max_labels = labels;
	return 0;
}

int domainset_builder_merge(
	struct domainset_builder *b, const struct domainset_builder *from, unsigned list)
{
	int err;

	if (list > 63 || memcmp(b->key, from->key, sizeof(b->key)))
		return -EINVAL;
	err = reserve(b, from->count, from->line_count);
	if (err)
		return err;
	for (size_t i = 0; i < from->count; i++) {
		struct entry e = from->entries[i];

		e.list = (uint8_t)list;
		e.line += (uint32_t)b->line_count;
		b->entries[b->count++] = e;
	}
	if (from->line_count)
		memcpy(b->lines + b->line_count, from->lines, from->line_count * sizeof(*b->lines));
	b->line_count += from->line_count;
	b->depths |= from->depths;
	if (from->max_labels > b->max_labels)
		b->max_labels = from->max_labels;
	return 0;
}

size_t domainset_builder_count(const struct domainset_builder *b)
{
	size_t n = 0, bytes = b->count * sizeof(*b->entries);
	struct entry *e = malloc(bytes ? bytes : 1);

	if (e && b->count) {
		memcpy(e, b->entries, bytes);
		domainset_sort(&e, b->count);
	}
	for (size_t i = 0; e && i < b->count; i++)
		n += !i || e[i].hash != e[i - 1].hash;
	free(e);
	return n;
}

int domainset_builder_finish(struct domainset_builder *b, struct buf *out)
{
	struct plan p = { 0 };
	int err = domainset_mark(b);

	if (!err)
		err = domainset_sort(&b->entries, b->count);
	if (!err)
		err = domainset_plan_names(&p, b);
	if (!err)
		err = domainset_plan_covered(&p, b);
	if (!err)
		err = domainset_plan_numbers(&p);
	drop_entries(b);
	if (!err)
		err = domainset_write(&p, b, out);
	free(p.names);
	free(p.classes);
	free(p.uses);
	free(p.class_hash);
	free(p.number);
	return err;
}
