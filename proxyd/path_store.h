/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes of a stream as their segments come, in any order and more than once. Two segments that say
 * different things of the same place are a conflict: which of them a server takes nobody knows.
 */
#define PATH_STORE_MAX	 65536 /* offsets are below it */
#define PATH_STORE_SPANS 32    /* of bytes that are there, with gaps between them */

struct path_span {
	uint32_t from, to; /* to is behind the last byte */
};

struct path_store {
	uint8_t *data;
	uint32_t cap;
	unsigned count; /* of spans, in order, never touching each other */
	struct path_span spans[PATH_STORE_SPANS];
};

/* Zeroed, it is empty. */
void path_store_fini(struct path_store *s);
/* 0; -EEXIST: a conflict; -ENOSPC: too far, or too many gaps; -ENOMEM. Nothing is changed then. */
int path_store_put(struct path_store *s, uint32_t offset, const void *data, size_t len);
/* Bytes from the beginning without a gap. */
size_t path_store_prefix(const struct path_store *s);
/* Nothing is there any more; the memory stays. */
void path_store_clear(struct path_store *s);
