/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An immutable set of domain names with up to 64 lists, compiled by syncd into an image that every
 * daemon maps read-only: keyed 54-bit suffix hashes in u64 slots with a 10-bit index into a table
 * of list masks, behind a filter; ≤ 11 bytes per name. A name may be entered per list as exact
 * (that name), subtree (it and all below), below (only below), and as an exception of the list.
 * Inside a list an exception wins over every other rule (SPEC P5, P6).
 *
 * Names are known by their hashes only: of the names that are not in a set of 5 M, fewer than 5e-13
 * per label are taken for one that is, which nobody can aim at without the image's random key.
 */
enum domainset_kind {
	DOMAINSET_EXACT,
	DOMAINSET_SUBTREE,
	DOMAINSET_BELOW,
	/* The list has only https paths of the name (P6): it blocks where nothing is decrypted. */
	DOMAINSET_EXACT_PATHS,
	DOMAINSET_SUBTREE_PATHS,
};

struct domainset_overlay;
struct domainset_builder;
struct domainset_builder *domainset_builder_new(void);
void domainset_builder_free(struct domainset_builder *b);
/* name: lower-case ASCII (A-labels), no final dot, 1..253 bytes. list 0..63. -EINVAL, -ENOMEM,
 * -E2BIG. */
int domainset_builder_add(struct domainset_builder *b, const char *name, size_t len, unsigned list,
	enum domainset_kind kind, bool exception);
/* Adds every rule of one list's builder (which has the same key and stays as it is) as rules of
 * `list`. */
int domainset_builder_merge(
	struct domainset_builder *b, const struct domainset_builder *from, unsigned list);
/* Before the first add: the same key and the same rules give the same image, whatever their order.
 * Without it the key is random. -EBUSY after an add. */
int domainset_builder_set_key(struct domainset_builder *b, const uint8_t key[static 16]);
size_t domainset_builder_count(const struct domainset_builder *b); /* distinct names */
/* Compiles; out holds the whole image (header, tables, checksum). The builder is spent. Names whose
 * rules change nothing (all their lists say the same of them through a name above) are left out of
 * what lookups search. */
int domainset_builder_finish(struct domainset_builder *b, struct buf *out);

struct domainset {
	const uint8_t *image;
	size_t len;
	bool mapped;
	/* decoded header; private */
	const uint64_t *filter;
	uint64_t filter_words;
	const uint64_t *slots, *covered;
	uint64_t home_buckets, covered_home_buckets;
	const struct domainset_class *classes;
	size_t class_count;
	unsigned class_bits;	  /* of a slot */
	const uint64_t *overflow; /* hashes of the names whose class has no number there */
	const uint32_t *overflow_class;
	size_t overflow_count;
	uint64_t depths; /* bit n: there are names of n labels (63: of 63 and more) */
	uint8_t key[16];
	uint64_t count; /* distinct names */
	unsigned max_labels;
	const struct domainset_overlay *overlay;
};

/* Checks header, bounds, checksum and every slot: a corrupt byte is -EBADMSG, never an "allow". The
 * image is at an address divisible by 8 (-EINVAL else), stays the caller's and must outlive the
 * set. */
int domainset_open(const void *image, size_t len, struct domainset *out);
/* Maps a file read-only. */
int domainset_open_file(const char *path, struct domainset *out);
void domainset_close(struct domainset *s);

struct domainset_hit {
	uint64_t blocked;  /* lists that block it */
	uint64_t paths;	   /* those of blocked that hold it for https paths only: may pass where
			      decrypted */
	uint64_t excepted; /* lists with an exception for it */
	size_t offset;	   /* of the longest matching suffix within name, for the rule's text */
};
/* lists: bits that are on. Any host name, lower-case, no final dot; no allocation. */
void domainset_find(const struct domainset *s, const char *name, size_t len, uint64_t lists,
	struct domainset_hit *out);
/* Asks for the memory that domainset_find will need for that name, for who has many to look up. */
void domainset_prefetch(const struct domainset *s, const char *name, size_t len);

/*
 * Single changes that take effect at once, without a new image: a small table beside it, looked at
 * by domainset_find. What is found is what an image compiled from the changed rules would say.
 */
/* max: names that may be changed at the same time (memory: 100 bytes each and the name). */
struct domainset_overlay *domainset_overlay_new(size_t max);
void domainset_overlay_free(struct domainset_overlay *o);
/* Names as in domainset_builder_add. -EINVAL, -ENOMEM, -ENOSPC: max reached. */
int domainset_overlay_add(struct domainset_overlay *o, const char *name, size_t len, unsigned list,
	enum domainset_kind kind, bool exception);
/* The list says nothing of exactly this name (its other names stay: an unblock of what a name above
 * covers is an exception). Errors as above. */
int domainset_overlay_remove(
	struct domainset_overlay *o, const char *name, size_t len, unsigned list);
/* The list says of this name what the image says again. -ENOENT: it was not changed. */
int domainset_overlay_revert(
	struct domainset_overlay *o, const char *name, size_t len, unsigned list);
size_t domainset_overlay_count(const struct domainset_overlay *o); /* changed names */
/* From now on lookups in s see o's changes, those of later calls too. o is the caller's and must
 * outlive s or be taken off (NULL). It is for one set at a time: call this for each image that
 * takes the place of another. */
void domainset_set_overlay(struct domainset *s, struct domainset_overlay *o);
