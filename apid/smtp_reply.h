/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Replies of a mail server (RFC 5321 4.2), and what EHLO's says that it can. Pure. */
struct smtp_reply {
	int code;	 /* 200 … 599 */
	bool starttls;	 /* RFC 3207 */
	bool auth_plain; /* RFC 4954 */
	char text[160];	 /* of the last line, what is printable of it */
};

enum { SMTP_REPLY_MAX = 16384 };

/* Bytes of the first whole reply in buf; 0: not whole yet; -EPROTO: it is none, or longer than
 * SMTP_REPLY_MAX. */
int smtp_reply_parse(const char *buf, size_t len, struct smtp_reply *out);
