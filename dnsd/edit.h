/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/policy/rebind.h"
#include "dnsd/message.h"
#include "dnsd/records.h"

/*
 * Answers in the stored form (answer.h) that are ours in part or whole. What was signed is no more:
 * they hold no signatures and are not authentic.
 */
struct edit {
	const struct question *question; /* what the client asked, in lower case */
	const struct name *alias; /* the answer is one to this name: a CNAME leads there; or NULL */
	uint32_t alias_ttl_s, age_s; /* the CNAME's life, and the age that the reader takes off */
	bool drops_ipv6;	     /* AAAA and ipv6hint */
	const struct rebind *drops;  /* hints and addresses that it finds; NULL: none */
};
/* Is there anything in an answer to this question for edit_answer to do? */
bool edit_is_needed(const struct edit *e);
/* Returns the length, 0 when it does not fit or is malformed. */
size_t edit_answer(
	const struct edit *e, const uint8_t *stored, size_t len, uint8_t *out, size_t cap);

/* What is answered from here alone: records of the name, or addresses. */
struct own_answer {
	const struct record *records; /* NULL = none */
	struct addr addresses[ADDR_LIST_MAX];
	size_t address_count;
	uint32_t ttl_s; /* of the addresses */
};
/* Types that are not there are answered with NODATA. Returns as edit_answer. */
size_t own_answer_write(
	const struct own_answer *own, const struct question *q, uint8_t *out, size_t cap);
