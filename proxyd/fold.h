/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is the same letter to the word filter (SPEC P9), character by character: upper and lower
 * case (simple mappings of Unicode, so that the length stays), every white space is a blank, and
 * characters that are not seen (soft hyphen, zero-width ones) are none.
 */
#define FOLD_IGNORED UINT32_MAX /* not seen */
#define FOLD_OPAQUE  0xffu	/* as a byte: matches nothing, never part of UTF-8 */

uint32_t fold_char(uint32_t cp);
/* The same for ASCII, by byte. */
extern const uint8_t fold_ascii_table[128];
/* Letter, mark, digit or connector: what a whole word is made of. */
bool fold_is_word(uint32_t cp);

/* Length of the character at p, 1 to 4, and it; 0: cut off by the end; -1: not UTF-8 (RFC 3629). */
int utf8_decode(const uint8_t *p, size_t len, uint32_t *cp);
/* Bytes written, 1 to 4. cp is a scalar value. */
int utf8_encode(uint32_t cp, uint8_t out[static 4]);
/* The character that ends before p, of valid UTF-8 from `start` on; `start` < p. */
uint32_t utf8_before(const uint8_t *start, const uint8_t *p);
/* len without a character at its end that has begun but is not whole. */
size_t utf8_whole(const uint8_t *p, size_t len);
