/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/mail.h"
#include "common/buf.h"

/* local@domain, of characters that need no quoting (RFC 5321 4.1.2, ASCII). */
bool mail_is_address(const char *text);

#define MAIL_SUBJECT_MAX 128 /* bytes, with its zero */

/* How many bytes of text, UTF-8, are to be kept where there is room for max: whole characters, but
 * for a first one that is longer than that. */
size_t mail_text_fit(const char *text, size_t max);
/* "Culvert: " and the beginning of text's first line. */
void mail_subject_format(const char *text, char out[static MAIL_SUBJECT_MAX]);
/* Appends in base64; without memory out->failed. */
void mail_append_base64(struct buf *out, const void *data, size_t len);
/* Appends what is sent behind DATA, its last line, a dot, included: text of UTF-8 as RFC 2045 and
 * RFC 2047 have it, in lines of base64, which no dot begins. 0 or -errno. */
int mail_message_format(
	struct buf *out, const struct mail_server *s, const char *subject, const char *text);
