/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Domain names in wire form (RFC 1035 3.1, 4.1.4): pure functions, hostile input. */
#define NAME_WIRE_MAX	 255
#define NAME_TEXT_MAX	 254 /* 253 characters and the zero */
#define NAME_ESCAPED_MAX 1024

/* An uncompressed name: length bytes and labels, ended by the root label. len is at least 1. */
struct name {
	uint8_t len;
	uint8_t wire[NAME_WIRE_MAX];
};

/* Reads a name, following compression pointers, which must point backwards all the way and be no
 * more than a name has labels. *pos moves behind it. -EBADMSG. */
int name_read(const uint8_t *msg, size_t len, size_t *pos, struct name *out);
/* Moves *pos behind a name without following pointers. -EBADMSG. */
int name_skip(const uint8_t *msg, size_t len, size_t *pos);
/* ASCII letters compare without case (RFC 4343). */
bool name_equal(const struct name *a, const struct name *b);
void name_lower(struct name *n);
/* Lower-case text without the final dot ("" for the root), as policy wants it. False when a label
 * holds a byte that has no plain text form (not printable ASCII, a blank, a dot, a backslash): such
 * a name cannot be judged and must not pass. */
bool name_text(const struct name *n, char out[static NAME_TEXT_MAX], size_t *len);
/* Presentation form for the log: odd bytes as \DDD. */
void name_escape(const struct name *n, char out[static NAME_ESCAPED_MAX]);
/* From text, with or without the final dot, no escapes. -EINVAL. */
int name_parse(const char *text, struct name *out);
