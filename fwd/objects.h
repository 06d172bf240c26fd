/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/nft.h"

/* What a table consists of besides sets (sets.h) and rules (rule.h). */
struct chain {
	const char *name;
	const char *type; /* NULL: no base chain */
	uint32_t hook;
	int32_t priority;
	uint32_t policy;
};

/* type is NFT_MSG_NEWTABLE or NFT_MSG_DELTABLE; the label names it in errors. */
void object_write_table(struct nft_batch *b, uint16_t type, const char *label);
void object_write_chain(struct nft_batch *b, const struct chain *c);
void object_write_counter(struct nft_batch *b, const char *name);
/* What is above so many bytes a second matches. */
void object_write_limit(struct nft_batch *b, const char *name, uint64_t bytes_per_s);
void object_delete_limit(struct nft_batch *b, const char *name);
/* Every rule of the table goes; chains stay. */
void object_write_flush(struct nft_batch *b);
