/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/domainset.h"
#include <string.h>

/*
 * What a domain set's image looks like; for common/domainset*.c only. Native byte order (the magic
 * number tells a foreign one).
 *
 *   header | filter | names | covered names | classes | overflow hashes | overflow classes
 *
 * The filter has 12 bits per name: a word by the high bits of the hash, four bits in it by its low
 * ones. It sends 99 of 100 names that are not here away with one load. Names and covered names are
 * tables of u64 slots in buckets of 8 (one cache line). A slot is the low 54 bits of the name's
 * hash and the number of its class; 0 = empty. A name's home bucket is the high product of its hash
 * and home_buckets; a full bucket spills into the next, the last bucket is never full. Covered
 * names are those whose rules change nothing because names above them say the same: lookups do
 * without them, but for what an overlay touches. A class says what a name means, for all lists at
 * once. The 1022 most frequent classes have a number in the slot; number DOMAINSET_OVERFLOW sends
 * the reader to the sorted overflow table, which knows the rest.
 *
 * A name that is not in the set is taken for one that is when bucket and 54 bits agree: fewer than
 * 1e-13 of the suffixes looked up at 1 M names and 5e-13 at 5 M; nobody can aim at it without the
 * key. Two names of the set whose 64-bit hashes agree would become one: 3e-8 of the images of 1 M.
 */
#define DOMAINSET_MAGIC	      0x31746573656d616eULL /* "nameset1" */
#define DOMAINSET_VERSION     2u
#define DOMAINSET_BUCKET      8u
#define DOMAINSET_CLASS_BITS  10u /* at least */
#define DOMAINSET_CLASS_MAX   20u /* bits at most */
#define DOMAINSET_MAX_LABELS  127
#define DOMAINSET_FILTER_BITS 12u /* per name */

struct domainset_class {
	uint64_t block_self, block_below; /* bit per list: names itself, names below it */
	uint64_t paths_self, paths_below; /* for https paths only */
	uint64_t except_self, except_below;
};

struct domainset_header {
	uint64_t magic;
	uint64_t checksum; /* SipHash-1-3 under key of all that follows this field */
	uint32_t version;
	uint16_t max_labels;
	uint16_t class_bits;
	uint64_t len; /* of the image */
	uint8_t key[16];
	uint64_t count; /* names in both tables */
	uint64_t depths;
	uint64_t filter_words;
	uint64_t home_buckets;
	uint64_t buckets; /* home buckets and those the last ones spilled into */
	uint64_t covered_home_buckets;
	uint64_t covered_buckets;
	uint64_t class_count; /* number 0 is not used */
	uint64_t overflow_count;
	uint64_t reserved; /* 0 */
};
_Static_assert(sizeof(struct domainset_header) == 128, "slots must start at a cache line");
_Static_assert(sizeof(struct domainset_class) == 48, "classes have no holes");
#define DOMAINSET_CHECKED_FROM 16 /* bytes before it: magic, checksum */

/* A suffix of a name: its hash, where it starts. */
struct domainset_suffix {
	uint64_t hash;
	uint32_t offset;
	uint32_t labels;
};

/* The bit of a number of labels in a mask of depths. */
static inline uint64_t domainset_depth(size_t labels)
{
	return 1ULL << (labels < 63 ? labels : 63);
}

/*
 * The hashes of name's suffixes that start at a label and have one of `depths` labels, shortest
 * first, of at most max_labels labels; returns how many. A hash is SipHash-1-3 of the suffix read
 * backwards, so that one walk gives all of them.
 */
size_t domainset_hash(const uint8_t key[static 16], const char *name, size_t len, size_t max_labels,
	uint64_t depths, struct domainset_suffix *out);
/* Labels of the name, 0 when it is not one a rule may have. */
unsigned domainset_labels(const char *name, size_t len);
/* Adds a rule. */
void domainset_class_add(
	struct domainset_class *c, unsigned list, enum domainset_kind kind, bool exception);

/* What the lists say of a name, going down from its top-level domain. Bits of one list at most in
 * one of them. */
struct domainset_state {
	uint64_t whole, paths, excepted;
};

/* One name further down: inside a list an exception wins over every other rule, however long; a
 * rule for the whole over one for paths. */
static inline void domainset_step(
	struct domainset_state *s, uint64_t whole, uint64_t paths, uint64_t except)
{
	s->excepted |= except;
	s->whole = (s->whole | whole) & ~s->excepted;
	s->paths = (s->paths | paths) & ~(s->whole | s->excepted);
}

/* high product: a place among n for a hash */
static inline uint64_t domainset_home(uint64_t hash, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)hash * n) >> 64);
}

/* The number of a class that stands in the overflow table. */
static inline uint64_t domainset_overflow(unsigned class_bits)
{
	return (1ULL << class_bits) - 1;
}

/* The bits of a hash in its word of the filter. */
static inline uint64_t domainset_filter_bits(uint64_t hash)
{
	return 1ULL << (hash & 63) | 1ULL << (hash >> 6 & 63) | 1ULL << (hash >> 12 & 63) |
	       1ULL << (hash >> 18 & 63);
}

/* ---- overlay ---- */

struct domainset_edit {
	uint64_t hash;
	uint64_t cleared; /* lists whose rules in the image do not count */
	struct domainset_class added;
	char *name;
};

/* The edit of that hash, NULL: none. */
const struct domainset_edit *domainset_overlay_find(
	const struct domainset_overlay *o, uint64_t hash);
/* Depths of the edited names, 0 when there is none. */
uint64_t domainset_overlay_depths(const struct domainset_overlay *o);
/* The names hashed by this key from now on. */
void domainset_overlay_set_key(struct domainset_overlay *o, const uint8_t key[static 16]);
