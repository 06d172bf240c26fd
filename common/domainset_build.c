/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/domainset.h"
#include "common/domainset_image.h"
#include "common/siphash.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define ENTRIES_MAX (1u << 25)
/* Names per home bucket, 6 of 8: bytes per name against buckets that spill. */
#define LOAD 6u

#define RULE_SELF   1u
#define RULE_BELOW  2u
#define RULE_EXCEPT 4u
#define RULE_PATHS  8u

struct entry {
	uint64_t hash;
	uint8_t list;
	uint8_t rule;
};

struct name {
	uint64_t hash;
	uint32_t class;
};

struct domainset_builder {
	uint8_t key[16];
	struct entry *entries;
	size_t count, cap;
	uint64_t depths;
	unsigned max_labels;
};

/* What finish works on. */
struct plan {
	struct name *names;
	size_t name_count;
	struct domainset_class *classes;
	uint32_t *uses; /* names per class */
	size_t class_count, class_cap;
	uint32_t *class_hash;  /* open addressing: number of the class + 1 */
	size_t class_hash_cap; /* power of two */
	uint32_t *number;      /* class → its place in the image's table */
};

struct domainset_builder *domainset_builder_new(void)
{
	struct domainset_builder *b = calloc(1, sizeof(*b));

	if (b && getrandom(b->key, sizeof(b->key), 0) != sizeof(b->key)) {
		free(b);
		return NULL;
	}
	return b;
}

void domainset_builder_free(struct domainset_builder *b)
{
	if (!b)
		return;
	free(b->entries);
	free(b);
}

int domainset_builder_set_key(struct domainset_builder *b, const uint8_t key[static 16])
{
	if (b->count)
		return -EBUSY;
	memcpy(b->key, key, sizeof(b->key));
	return 0;
}

/* Labels of the name, 0 when it is not one. */
static unsigned count_labels(const char *name, size_t len)
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

static int grow(struct domainset_builder *b)
{
	size_t cap = b->cap ? b->cap * 2 : 4096;
	struct entry *e;

	if (b->count < b->cap)
		return 0;
	if (b->count >= ENTRIES_MAX)
		return -E2BIG;
	e = realloc(b->entries, cap * sizeof(*e));
	if (!e)
		return -ENOMEM;
	b->entries = e;
	b->cap = cap;
	return 0;
}

int domainset_builder_add(struct domainset_builder *b, const char *name, size_t len, unsigned list,
	enum domainset_kind kind, bool exception)
{
	struct domainset_suffix suffix[DOMAINSET_MAX_LABELS];
	static const uint8_t rules[] = { RULE_SELF, RULE_SELF | RULE_BELOW, RULE_BELOW,
		RULE_SELF | RULE_PATHS, RULE_SELF | RULE_BELOW | RULE_PATHS };
	unsigned labels = count_labels(name, len);
	int err;

	if (!labels || list > 63 || (unsigned)kind >= sizeof(rules))
		return -EINVAL;
	err = grow(b);
	if (err)
		return err;
	domainset_hash(b->key, name, len, DOMAINSET_MAX_LABELS, suffix);
	b->entries[b->count++] = (struct entry){ suffix[labels - 1].hash, (uint8_t)list,
		(uint8_t)(rules[kind] | (exception ? RULE_EXCEPT : 0)) };
	b->depths |= 1ULL << (labels < 63 ? labels : 63);
	if (labels > b->max_labels)
		b->max_labels = labels;
	return 0;
}

int domainset_builder_merge(
	struct domainset_builder *b, const struct domainset_builder *from, unsigned list)
{
	size_t need = b->count + from->count;

	if (list > 63 || memcmp(b->key, from->key, sizeof(b->key)))
		return -EINVAL;
	if (need > ENTRIES_MAX)
		return -E2BIG;
	if (need > b->cap) {
		struct entry *e = realloc(b->entries, need * sizeof(*e));

		if (!e)
			return -ENOMEM;
		b->entries = e;
		b->cap = need;
	}
	for (size_t i = 0; i < from->count; i++) {
		b->entries[b->count] = from->entries[i];
		b->entries[b->count++].list = (uint8_t)list;
	}
	b->depths |= from->depths;
	if (from->max_labels > b->max_labels)
		b->max_labels = from->max_labels;
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

static void sort_group(struct entry *e, size_t n)
{
	/* Groups are small because the hash is even; many equal names make large ones. */
	if (n > 48) {
		qsort(e, n, sizeof(*e), compare_entries);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		struct entry x = e[i];
		size_t j = i;

		/* The dealing pass has filled every entry.
		 * NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		for (; j && e[j - 1].hash > x.hash; j--)
			e[j] = e[j - 1];
		e[j] = x;
	}
}

/* By hash: a pass that deals out by the high bits, then small sorts. */
static int sort_entries(struct entry **entries, size_t n)
{
	unsigned bits = 1;
	uint32_t *start;
	struct entry *out;

	while (bits < 24 && (8u << bits) < n)
		bits++;
	start = calloc((1u << bits) + 1, sizeof(*start));
	out = malloc((n ? n : 1) * sizeof(*out));
	if (!start || !out) {
		free(start);
		free(out);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		start[((*entries)[i].hash >> (64 - bits)) + 1]++;
	for (size_t i = 1; i <= 1u << bits; i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < n; i++)
		out[start[(*entries)[i].hash >> (64 - bits)]++] = (*entries)[i];
	for (size_t i = 0, from = 0; i < 1u << bits; from = start[i++])
		sort_group(out + from, start[i] - from);
	free(start);
	free(*entries);
	*entries = out;
	return 0;
}

size_t domainset_builder_count(const struct domainset_builder *b)
{
	size_t n = 0;

	if (b->count)
		qsort(b->entries, b->count, sizeof(*b->entries), compare_entries);
	for (size_t i = 0; i < b->count; i++)
		n += !i || b->entries[i].hash != b->entries[i - 1].hash;
	return n;
}

static void add_rule(struct domainset_class *c, const struct entry *e)
{
	uint64_t bit = 1ULL << e->list;

	if (e->rule & RULE_EXCEPT) {
		c->except_self |= e->rule & RULE_SELF ? bit : 0;
		c->except_below |= e->rule & RULE_BELOW ? bit : 0;
	} else if (e->rule & RULE_PATHS) {
		c->paths_self |= e->rule & RULE_SELF ? bit : 0;
		c->paths_below |= e->rule & RULE_BELOW ? bit : 0;
	} else {
		c->block_self |= e->rule & RULE_SELF ? bit : 0;
		c->block_below |= e->rule & RULE_BELOW ? bit : 0;
	}
}

static int grow_classes(struct plan *p, const uint8_t key[static 16])
{
	size_t cap = p->class_cap ? p->class_cap * 2 : 64;
	void *classes = realloc(p->classes, cap * sizeof(*p->classes));
	uint32_t *uses, *hash;

	if (!classes)
		return -ENOMEM;
	p->classes = classes;
	uses = realloc(p->uses, cap * sizeof(*uses));
	if (!uses)
		return -ENOMEM;
	p->uses = uses;
	hash = calloc(cap * 2, sizeof(*hash));
	if (!hash)
		return -ENOMEM;
	free(p->class_hash);
	p->class_hash = hash;
	p->class_cap = cap;
	p->class_hash_cap = cap * 2;
	for (size_t i = 0; i < p->class_count; i++) {
		size_t at = siphash13(key, &p->classes[i], sizeof(p->classes[i]));

		while (hash[at & (p->class_hash_cap - 1)])
			at++;
		hash[at & (p->class_hash_cap - 1)] = (uint32_t)i + 1;
	}
	return 0;
}

/* The class's number in the plan, made if it is new; -ENOMEM. */
static int64_t intern_class(
	struct plan *p, const uint8_t key[static 16], const struct domainset_class *c)
{
	size_t at = siphash13(key, c, sizeof(*c));
	uint32_t i;

	if (p->class_count == p->class_cap && grow_classes(p, key))
		return -ENOMEM;
	for (; (i = p->class_hash[at & (p->class_hash_cap - 1)]); at++) {
		if (!memcmp(&p->classes[i - 1], c, sizeof(*c)))
			return i - 1;
	}
	p->class_hash[at & (p->class_hash_cap - 1)] = (uint32_t)p->class_count + 1;
	p->classes[p->class_count] = *c;
	p->uses[p->class_count] = 0;
	return (int64_t)p->class_count++;
}

/* Merges the sorted entries into names with classes. */
static int plan_names(struct plan *p, const struct domainset_builder *b)
{
	int64_t class = -1;

	p->names = malloc((b->count ? b->count : 1) * sizeof(*p->names));
	if (!p->names)
		return -ENOMEM;
	for (size_t i = 0, next; i < b->count; i = next) {
		struct domainset_class c = { 0 };

		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
		for (next = i; next < b->count && b->entries[next].hash == b->entries[i].hash;
			next++)
			add_rule(&c, &b->entries[next]);
		/* Neighbours are mostly of one class. */
		if (class < 0 || memcmp(&p->classes[class], &c, sizeof(c)))
			class = intern_class(p, b->key, &c);
		if (class < 0)
			return (int)class;
		p->uses[class]++;
		p->names[p->name_count++] = (struct name){ b->entries[i].hash, (uint32_t) class };
	}
	return 0;
}

struct rank {
	struct domainset_class class;
	uint32_t uses, index;
};

/* Frequent first; ties by content, so that the image depends on nothing else. */
static int compare_ranks(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	if (x->uses != y->uses)
		return x->uses > y->uses ? -1 : 1;
	return memcmp(&x->class, &y->class, sizeof(x->class));
}

static int plan_numbers(struct plan *p)
{
	struct rank *r = malloc((p->class_count + 1) * sizeof(*r));

	p->number = malloc((p->class_count + 1) * sizeof(*p->number));
	if (!r || !p->number) {
		free(r);
		return -ENOMEM;
	}
	for (size_t i = 0; i < p->class_count; i++)
		r[i] = (struct rank){ p->classes[i], p->uses[i], (uint32_t)i };
	qsort(r, p->class_count, sizeof(*r), compare_ranks);
	for (size_t i = 0; i < p->class_count; i++)
		p->number[r[i].index] = (uint32_t)i + 1;
	free(r);
	return 0;
}

/* Fills the buckets in the order of hashes; with slots NULL only counts. Returns buckets needed. */
static uint64_t fill_buckets(const struct plan *p, uint64_t home_buckets, uint64_t *slots)
{
	uint64_t bucket = 0, fill = 0;

	for (size_t i = 0; i < p->name_count; i++) {
		const struct name *n = &p->names[i];
		uint64_t home = domainset_home(n->hash, home_buckets);
		uint32_t number = p->number[n->class];

		if (home > bucket) {
			bucket = home;
			fill = 0;
		} else if (fill == DOMAINSET_BUCKET) {
			bucket++;
			fill = 0;
		}
		if (number > DOMAINSET_OVERFLOW)
			number = DOMAINSET_OVERFLOW;
		if (slots)
			slots[bucket * DOMAINSET_BUCKET + fill] =
				n->hash << DOMAINSET_CLASS_BITS | number;
		fill++;
	}
	bucket += 1 + (fill == DOMAINSET_BUCKET);
	return bucket > home_buckets ? bucket : home_buckets + 1;
}

static void write_overflow(const struct plan *p, uint64_t *hashes, uint32_t *classes)
{
	for (size_t i = 0; i < p->name_count; i++) {
		if (p->number[p->names[i].class] < DOMAINSET_OVERFLOW)
			continue;
		/* There is a table as soon as one class has no number of its own.
		 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		*hashes++ = p->names[i].hash;
		*classes++ = p->number[p->names[i].class];
	}
}

static int write_image(const struct plan *p, const struct domainset_builder *b, struct buf *out)
{
	struct domainset_header h = {
		.magic = DOMAINSET_MAGIC,
		.version = DOMAINSET_VERSION,
		.max_labels = b->max_labels,
		.count = p->name_count,
		.depths = b->depths,
		.home_buckets = p->name_count / LOAD + 1,
		.class_count = p->class_count + 1,
	};
	struct domainset_class *classes;
	uint64_t *slots, *overflow;
	size_t from = out->len;
	int err;

	memcpy(h.key, b->key, sizeof(h.key));
	h.buckets = fill_buckets(p, h.home_buckets, NULL);
	for (size_t i = 0; i < p->class_count; i++)
		h.overflow_count += p->number[i] >= DOMAINSET_OVERFLOW ? p->uses[i] : 0;
	h.len = sizeof(h) + h.class_count * sizeof(*classes) + h.buckets * DOMAINSET_BUCKET * 8 +
		h.overflow_count * 12;
	h.len = (h.len + 7) & ~7ULL;
	err = from % 8 ? -EINVAL : buf_reserve(out, h.len);
	if (err)
		return err;
	memset(out->data + from, 0, h.len + 1);
	slots = (void *)(out->data + from + sizeof(h));
	fill_buckets(p, h.home_buckets, slots);
	classes = (void *)(slots + h.buckets * DOMAINSET_BUCKET);
	for (size_t i = 0; i < p->class_count; i++)
		classes[p->number[i]] = p->classes[i];
	overflow = (void *)(classes + h.class_count);
	write_overflow(p, overflow, (void *)(overflow + h.overflow_count));
	memcpy(out->data + from, &h, sizeof(h));
	h.checksum = siphash13(
		h.key, out->data + from + DOMAINSET_CHECKED_FROM, h.len - DOMAINSET_CHECKED_FROM);
	memcpy(out->data + from, &h, sizeof(h));
	out->len += h.len;
	return 0;
}

int domainset_builder_finish(struct domainset_builder *b, struct buf *out)
{
	struct plan p = { 0 };
	int err = sort_entries(&b->entries, b->count);

	if (!err)
		err = plan_names(&p, b);
	free(b->entries);
	b->entries = NULL;
	if (!err)
		err = plan_numbers(&p);
	if (!err)
		err = write_image(&p, b, out);
	b->count = b->cap = 0;
	free(p.names);
	free(p.classes);
	free(p.uses);
	free(p.class_hash);
	free(p.number);
	return err;
}
