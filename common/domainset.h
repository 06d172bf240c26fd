/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An immutable set of domain names with up to 64 lists, compiled by syncd into an image that every
 * daemon maps read-only: keyed 54-bit suffix hashes in u64 slots with a 10-bit index into a table of
 * (list masks); ≤ 11 bytes per name (MEASURED 5). A name may be entered per list as
 *   exact (that name), subtree (it and all below), below (only below), and as an exception of the list.
 */
enum domainset_kind { DOMAINSET_EXACT, DOMAINSET_SUBTREE, DOMAINSET_BELOW };

struct domainset_builder;
struct domainset_builder *domainset_builder_new(void);
void domainset_builder_free(struct domainset_builder *b);
/* name: lower-case ASCII (A-labels), no final dot, 1..253 bytes. list 0..63. -EINVAL, -ENOMEM, -E2BIG. */
int domainset_builder_add(struct domainset_builder *b, const char *name, size_t len, unsigned list,
	enum domainset_kind kind, bool exception);
size_t domainset_builder_count(const struct domainset_builder *b); /* distinct names */
/* Compiles; out holds the whole image (header, tables, checksum). The builder is spent. */
int domainset_builder_finish(struct domainset_builder *b, struct buf *out);

struct domainset {
	const uint8_t *image;
	size_t len;
	bool mapped;
	/* decoded header; private */
	uint64_t mask;
	const uint64_t *slots;
	const void *classes;
	size_t class_count;
	uint8_t key[16];
	uint64_t count;
	unsigned max_labels;
};

/* Checks header, bounds and checksum: a corrupt byte is -EBADMSG, never an "allow". */
int domainset_open(const void *image, size_t len, struct domainset *out);
/* Maps a file read-only. */
int domainset_open_file(const char *path, struct domainset *out);
void domainset_close(struct domainset *s);

struct domainset_hit {
	uint64_t blocked; /* lists that hold the name (longest match per list; exceptions taken out) */
	uint64_t excepted; /* lists whose own exception covers it */
	size_t offset; /* of the longest matching suffix within name, for the rule's text */
};
/* lists: bits that are on. Any host name, lower-case, no final dot; no allocation. */
void domainset_find(const struct domainset *s, const char *name, size_t len, uint64_t lists,
	struct domainset_hit *out);
