/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/domainset_image.h"

/* Private to the compiler of domain sets: rules come in (domainset_build.c), are merged into names
 * with classes (domainset_names.c), what is covered is told apart (domainset_cover.c), and written
 * (domainset_write.c). */

#define ENTRIES_MAX (1u << 25)

/* A rule. */
struct entry {
	uint64_t hash;
	uint32_t line; /* place in lines of the hashes of the names above it */
	uint8_t list;
	uint8_t kind;  /* enum domainset_kind */
	uint8_t above; /* names above it in lines: all but the top-level domain */
	bool exception : 1;
	bool may_be_covered : 1;
};
_Static_assert(sizeof(struct entry) == 16, "memory of 5 M rules");

struct domainset_builder {
	uint8_t key[16];
	struct entry *entries;
	size_t count, cap;
	uint64_t *lines; /* of names: hashes of the names above, shortest first */
	size_t line_count, line_cap;
	uint64_t depths;
	unsigned max_labels;
};

struct name {
	uint64_t hash;
	uint32_t class;
	uint32_t entry : 31; /* one of its rules */
	uint32_t covered : 1;
};
_Static_assert(sizeof(struct name) == 16, "memory of 5 M names");

/* What finish works on. */
struct plan {
	struct name *names; /* by hash */
	size_t name_count, covered_count;
	struct domainset_class *classes;
	uint32_t *uses; /* names per class */
	size_t class_count, class_cap;
	uint32_t *class_hash;  /* open addressing: number of the class + 1 */
	size_t class_hash_cap; /* power of two */
	uint32_t *number;      /* class → its place in the image's table */
	unsigned class_bits;   /* of a number in a slot */
};

/* Sorts the entries by hash. -ENOMEM leaves them as they were. */
int domainset_sort(struct entry **entries, size_t n);
/* Marks the entries that may be covered: a name above them has a rule for what is below. */
int domainset_mark(struct domainset_builder *b);
/* Merges the sorted entries into names with classes. 0 or -ENOMEM, as the next two. */
int domainset_plan_names(struct plan *p, const struct domainset_builder *b);
/* Finds the names whose rules change nothing. */
int domainset_plan_covered(struct plan *p, const struct domainset_builder *b);
/* Classes by use; ties by content, so that the image depends on nothing else. */
int domainset_plan_numbers(struct plan *p);
/* Bits of a class's number in a slot, where that many classes and buckets are. */
unsigned domainset_class_bits(size_t classes, uint64_t home_buckets);
int domainset_write(struct plan *p, const struct domainset_builder *b, struct buf *out);
