/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/domainset.h"
#include <string.h>

/*
 * What a domain set's image looks like; for domainset.c and domainset_build.c only. Native byte
 * order (the magic number tells a foreign one).
 *
 *   header | slots | classes | overflow hashes | overflow classes
 *
 * Slots stand in buckets of 8 (one cache line). A slot is the low 54 bits of the name's hash and
 * the number of its class; 0 = empty. A name's home bucket is the high product of its hash and
 * home_buckets; a full bucket spills into the next, the last bucket is never full. A class says
 * what a name means, for all lists at once. The 1022 most frequent classes have a number in the
 * slot; number DOMAINSET_OVERFLOW sends the reader to the sorted overflow table, which knows the
 * rest.
 */
#define DOMAINSET_MAGIC	     0x31746573656d616eULL /* "nameset1" */
#define DOMAINSET_VERSION    1u
#define DOMAINSET_BUCKET     8u
#define DOMAINSET_CLASS_BITS 10
#define DOMAINSET_OVERFLOW   1023u
#define DOMAINSET_MAX_LABELS 127

struct domainset_class {
	uint64_t block_self, block_below; /* bit per list: names itself, names below it */
	uint64_t paths_self, paths_below; /* for https paths only */
	uint64_t except_self, except_below;
};

struct domainset_header {
	uint64_t magic;
	uint64_t checksum; /* SipHash-1-3 under key of all that follows this field */
	uint32_t version;
	uint32_t max_labels;
	uint64_t len; /* of the image */
	uint8_t key[16];
	uint64_t count; /* names */
	uint64_t depths;
	uint64_t home_buckets;
	uint64_t buckets;     /* home buckets and those the last ones spilled into */
	uint64_t class_count; /* number 0 is not used */
	uint64_t overflow_count;
	uint64_t reserved[4]; /* 0 */
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

/*
 * The hashes of name's suffixes that start at a label, shortest first, at most max of them; returns
 * how many. A hash is SipHash-1-3 of the suffix read backwards, so that one walk gives all of them.
 */
size_t domainset_hash(const uint8_t key[static 16], const char *name, size_t len, size_t max,
	struct domainset_suffix *out);

static inline uint64_t domainset_home(uint64_t hash, uint64_t home_buckets)
{
	return (uint64_t)(((unsigned __int128)hash * home_buckets) >> 64);
}
