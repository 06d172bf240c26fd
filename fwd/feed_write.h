/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/feed.h"

/* Inside of feed.c: the fed elements as messages. */
struct feed_change {
	enum feed_table table;
	bool had, has; /* in the kernel; after the change */
	uint64_t old_bits, bits;
	uint32_t expires_s;
	uint8_t key[32];
};

/* f->changes as the smallest difference. */
void feed_write_changes(struct feed *f, struct nft_batch *b);
/* Empties every fed set. */
void feed_write_flush(struct nft_batch *b);
/* Up to n elements that are to be there, from the cursor on. */
void feed_write_some(const struct feed *f, struct nft_batch *b, struct feed_cursor *c, size_t n);
