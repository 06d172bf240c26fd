/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * Text in a declared charset, read as UTF-8 character by character, with how many bytes each one
 * was written in, so that what is not changed goes out as it came.
 */
struct charset;

/* label: as declared (WHATWG's labels for the common ones, else iconv's names). *out NULL: UTF-8,
 * which needs no converting. -ENOTSUP: one whose bytes depend on what was before (ISO-2022, HZ);
 * -ENOENT: unknown to browsers, too, which then do as if nothing had been declared; -ENOMEM. */
int charset_open(const char *label, struct charset **out);
void charset_close(struct charset *cs);

/* Appends UTF-8 to text and, for every character, its length in bytes to lens. Bytes that are no
 * character become U+FFFD. How many bytes of data were taken: with is_last all, else all but one
 * unfinished character. -ENOMEM. */
long charset_decode(struct charset *cs, const uint8_t *data, size_t len, bool is_last,
	struct buf *text, struct buf *lens);
/* An asterisk in it. */
const uint8_t *charset_asterisk(const struct charset *cs, size_t *len);

/* What the bytes say of themselves: a byte order mark's charset or, for HTML, that of a meta
 * element (with a label that there is) in the first CHARSET_LOOK bytes. "" : nothing; len > 1 is
 * room for a label, cut. */
#define CHARSET_LOOK 1024
void charset_sniff(const uint8_t *data, size_t len, bool is_html, char *out, size_t out_len);
