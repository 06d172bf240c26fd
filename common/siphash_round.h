/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* The parts of SipHash-1-3, for code that hashes as it goes along; see siphash.h for the whole. */
struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t sip_rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline uint64_t sip_load64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, 8);
	return le64toh(x);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = sip_rotl(s->v1, 13) ^ s->v0;
	s->v3 = sip_rotl(s->v3, 16) ^ s->v2;
	s->v0 = sip_rotl(s->v0, 32) + s->v3;
	s->v2 += s->v1;
	s->v3 = sip_rotl(s->v3, 21) ^ s->v0;
	s->v1 = sip_rotl(s->v1, 17) ^ s->v2;
	s->v2 = sip_rotl(s->v2, 32);
}

static inline struct sip sip_start(const uint8_t key[static 16])
{
	uint64_t k0 = sip_load64(key), k1 = sip_load64(key + 8);

	return (struct sip){
		k0 ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL,
	};
}

/* Eight bytes, little endian. */
static inline void sip_absorb(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

/* rest: the last len % 8 bytes, little endian, zero above; len: of the whole input. */
static inline uint64_t sip_end(struct sip s, uint64_t rest, size_t len)
{
	sip_absorb(&s, rest | (uint64_t)len << 56);
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
