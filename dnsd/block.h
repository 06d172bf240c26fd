/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "dnsd/message.h"

/* Answers that dnsd makes itself (SPEC D2, D4). */
#define BLOCK_TTL_S 5

enum block_mode {
	BLOCK_NULL, /* 0.0.0.0 and ::, NODATA for other types */
	BLOCK_NXDOMAIN,
	BLOCK_REFUSED,
	BLOCK_ADDRESS, /* the given addresses, NODATA for other types */
	BLOCK_NODATA,
};

struct block_how {
	enum block_mode mode;
	const struct addr *addresses; /* of BLOCK_ADDRESS */
	size_t address_count;
};

/* Writes a whole response with the extended error. Returns its length, 0 when it does not fit. */
size_t block_write(const struct message_query *q, const struct block_how *how, int ede,
	const char *ede_text, uint8_t *out, size_t cap);
/* A response without records: rcode (extended) alone. */
size_t block_write_rcode(const struct message_query *q, unsigned rcode, int ede,
	const char *ede_text, uint8_t *out, size_t cap);
/* FORMERR to a message whose question could not be read: header only. */
size_t block_write_formerr(uint16_t id, uint16_t flags, uint8_t *out, size_t cap);
/* The SOA of a negative answer of our own, to be kept no longer than BLOCK_TTL_S. */
void block_add_soa(struct message_writer *w, const struct name *owner);
