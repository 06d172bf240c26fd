/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A character reference (HTML 13.2.5.72) is shorter than this. */
#define HTML_ENTITY_MAX 34

/*
 * The reference at p, where an ampersand stands: its length and character; one that is unknown or
 * invalid has a character above U+10FFFF. -1: the ampersand is only that (also a name without its
 * semicolon); 0: more bytes are needed to tell (never with is_final).
 */
int html_entity_parse(const uint8_t *p, size_t len, bool is_final, uint32_t *cp);
