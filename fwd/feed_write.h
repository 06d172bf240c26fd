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
/* Every fed set emptied and filled again from f->tables. */
void feed_write_all(struct feed *f, struct nft_batch *b);
