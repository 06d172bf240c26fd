/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The escape at p, where a backslash stands, of a JavaScript (ECMA-262 12.9.4) or JSON string: its
 * length and character, two escaped surrogates being one. What is no character (a lone surrogate,
 * a wrong escape) is above U+10FFFF; a continued line is FOLD_IGNORED. 0: more bytes are needed
 * (never with is_final).
 */
int string_escape_parse(const uint8_t *p, size_t len, bool is_final, uint32_t *cp);
