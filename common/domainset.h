/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An immutable set of domain names with up to 64 lists, compiled by syncd into an image that every
 * daemon maps read-only: keyed 54-bit suffix hashes in u64 slots with a 10-bit index into a table
 * of (list masks); ≤ 11 bytes per name (MEASURED 5). A name may be entered per list as exact (that
 * name), subtree (it and all below), below (only below), and as an exception of the list.
 */
enum domainset_kind {
	DOMAINSET_EXACT,
	DOMAINSET_SUBTREE,
	DOMAINSET_BELOW,
	/* The list has only https paths of the name (P6): it blocks where nothing is decrypted. */
	DOMAINSET_EXACT_PATHS,
	DOMAINSET_SUBTREE_PATHS,
};

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
/* Compiles; out holds the whole image (header, tables, checksum). The builder is spent. */
int domainset_builder_finish(struct domainset_builder *b, struct buf *out);

struct domainset {
	const uint8_t *image;
	size_t len;
	bool mapped;
	/* decoded header; private */
	const uint64_t *slots;
	uint64_t home_buckets;
	const struct domainset_class *classes;
	size_t class_count;
	const uint64_t *overflow; /* hashes of the names whose class has no 10-bit number */
	const uint32_t *overflow_class;
	size_t overflow_count;
	uint64_t depths; /* bit n: there are names of n labels (63: of 63 and more) */
	uint8_t key[16];
	uint64_t count;
	unsigned max_labels;
};

/* Checks header, bounds, checksum and every slot: a corrupt byte is -EBADMSG, never an "allow". The
 * image is at an address divisible by 8 (-EINVAL else), stays the caller's and must outlive the
 * set. */
int domainset_open(const void *image, size_t len, struct domainset *out);
/* Maps a file read-only. */
int domainset_open_file(const char *path, struct domainset *out);
void domainset_close(struct domainset *s);

struct domainset_hit {
	uint64_t blocked;  /* lists with a rule for it, less excepted */
	uint64_t paths;	   /* those of blocked that hold it for https paths only: may pass where
			      decrypted */
	uint64_t excepted; /* lists whose own exception covers it, however long their other rules */
	size_t offset;	   /* of the longest matching suffix within name, for the rule's text */
};
/* lists: bits that are on. Any host name, lower-case, no final dot; no allocation. */
void domainset_find(const struct domainset *s, const char *name, size_t len, uint64_t lists,
	struct domainset_hit *out);
