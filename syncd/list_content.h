/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "syncd/list_parse.h"
#include "syncd/list_store.h"

/* A parsed list: immutable, shared between its source and a compile job. References are taken and
 * dropped on the loop only. */
struct list_content {
	unsigned refs;
	struct domainset_builder *rules; /* of list 0 */
	struct buf urls;		 /* URL prefixes, each ending in zero */
	struct list_report report;
	uint64_t repeated; /* names that were there already; counted after the list is in use */
	struct list_options options;
	char digest[65]; /* of the text */
};
struct list_content *list_content_ref(struct list_content *c);
void list_content_unref(struct list_content *c); /* NULL allowed */
/* Entries of both kinds. */
uint64_t list_content_size(const struct list_content *c);

/*
 * Text to content, in the work pool; digest is the text's. 0 with *out (one reference), or -errno
 * with why filled: -EBADMSG no list, or nothing in it can be used; -ENOMEM; -E2BIG.
 */
int list_content_make(const void *text, size_t len, const char digest[static 65],
	const struct list_options *options, const uint8_t key[static 16], struct list_content **out,
	char *why, size_t why_len);
/* Has it lost more than half and more than 1000 entries against the last good version? */
bool list_content_is_shrunk(const struct list_content *c, uint64_t size_before);
