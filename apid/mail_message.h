/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/mail.h"
#include "common/buf.h"

/* local@domain, of characters that need no quoting (RFC 5321 4.1.2, ASCII). */
bool mail_is_address(const char *text);

/* Appends in base64; without memory out->failed. */
void mail_append_base64(struct buf *out, const void *data, size_t len);
/* Appends what is sent behind DATA, its last line, a dot, included: text of UTF-8 as RFC 2045 and
 * RFC 2047 have it, in lines of base64, which no dot begins. 0 or -errno. */
int mail_message_format(
	struct buf *out, const struct mail_server *s, const char *subject, const char *text);
