/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/upstream_cookie.h"

#include "dnsd/message.h"
#include <string.h>

#define THEIRS_MIN 8 /* RFC 7873 4.2 */

size_t upstream_cookie_add(
	const struct upstream_cookie *c, uint8_t *msg, size_t len, size_t opt_len_at)
{
	size_t cookie = UPSTREAM_COOKIE_OURS + (size_t)c->theirs_len;

	if (c->is_off)
		return len;
	message_put16(msg + len, OPTION_COOKIE);
	message_put16(msg + len + 2, (unsigned)cookie);
	memcpy(msg + len + 4, c->ours, UPSTREAM_COOKIE_OURS);
	memcpy(msg + len + 4 + UPSTREAM_COOKIE_OURS, c->theirs, c->theirs_len);
	message_put16(msg + opt_len_at, message_get16(msg + opt_len_at) + (unsigned)(4 + cookie));
	return len + 4 + cookie;
}

enum cookie_says upstream_cookie_read(struct upstream_cookie *c, const uint8_t *msg, size_t len)
{
	unsigned rcode = len >= MESSAGE_HEADER_LEN ? message_get16(msg + 2) & FLAG_RCODE : 0;
	const uint8_t *cookie = NULL;
	struct message_opt opt;
	size_t n = 0;

	if (!message_find_opt(msg, len, &opt)) {
		rcode |= opt.rcode_high;
		cookie = message_find_option(msg + opt.data_pos, opt.data_len, OPTION_COOKIE, &n);
	}
	/* One that turns our own bytes round has none. */
	if (!cookie || (n == UPSTREAM_COOKIE_OURS && !memcmp(cookie, c->ours, n))) {
		if (rcode != RCODE_FORMERR || c->theirs_len)
			return COOKIE_MISSING;
		c->is_off = true;
		return COOKIE_REFUSED;
	}
	if (n < UPSTREAM_COOKIE_OURS + THEIRS_MIN ||
		n > UPSTREAM_COOKIE_OURS + UPSTREAM_COOKIE_THEIRS_MAX ||
		memcmp(cookie, c->ours, UPSTREAM_COOKIE_OURS) != 0)
		return COOKIE_WRONG;
	c->theirs_len = (uint8_t)(n - UPSTREAM_COOKIE_OURS);
	memcpy(c->theirs, cookie + UPSTREAM_COOKIE_OURS, c->theirs_len);
	return rcode == RCODE_BADCOOKIE ? COOKIE_NEW : COOKIE_FITS;
}

void upstream_cookie_forget(struct upstream_cookie *c)
{
	c->theirs_len = 0;
}
