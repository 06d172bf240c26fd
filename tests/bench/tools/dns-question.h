/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* For origins of answers that look no closer (RFC 1035 4.1). */
enum { DNS_HEADER_LEN = 12 };

/* Where a message's one question ends, 0 when there is none. */
static inline size_t dns_question_end(const uint8_t *msg, size_t len)
{
	size_t at = DNS_HEADER_LEN;

	while (at < len && msg[at])
		at += 1u + msg[at];
	return at + 5 <= len ? at + 5 : 0;
}
