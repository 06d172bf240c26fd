/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/siphash.h"
#include "common/siphash_round.h"

uint64_t siphash13(const uint8_t key[static 16], const void *data, size_t len)
{
	const uint8_t *p = data;
	struct sip s = sip_start(key);
	uint64_t rest = 0;
	size_t left = len;

	for (; left >= 8; p += 8, left -= 8)
		sip_absorb(&s, sip_load64(p));
	for (size_t i = 0; i < left; i++)
		rest |= (uint64_t)p[i] << (8 * i);
	return sip_end(s, rest, len);
}
