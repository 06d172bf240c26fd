/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/known.h"
#include "common/random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAX_AGE_S = 180 * 24 * 3600 };

/* What is signed begins with a word, so that it is never the signature of a session. */
static int sign(const struct secret *s, const char *user, const char *number,
	uint8_t out[static SECRET_LEN])
{
	char text[160];
	int len = snprintf(text, sizeof(text), "known %s %s", number, user);

	return len < (int)sizeof(text) ? secret_sign(s->session, text, (size_t)len, out) : -EINVAL;
}

bool known_find(const struct call *c, const char *user, char number[static BASE64URL_TEXT + 1])
{
	uint8_t shown[SECRET_LEN], good[SECRET_LEN];
	size_t len;
	const char *value = cookie_find(exchange_head(&c->x), KNOWN_COOKIE, &len);

	number[0] = '\0';
	if (!value || len != SESSION_VALUE - 1 || value[BASE64URL_TEXT] != '.' ||
		base64url_parse(value, BASE64URL_TEXT, shown, sizeof(shown)) ||
		base64url_parse(value + BASE64URL_TEXT + 1, BASE64URL_TEXT, shown, sizeof(shown)))
		return false;
	memcpy(number, value, BASE64URL_TEXT);
	number[BASE64URL_TEXT] = '\0';
	if (!sign(&c->api->secret, user, number, good) &&
		!secret_differs(shown, good, sizeof(good)))
		return true;
	number[0] = '\0';
	return false;
}

int known_cookie(const struct secret *s, const char *user, const char *number, char out[static 256])
{
	char own[BASE64URL_TEXT + 1], text[BASE64URL_TEXT + 1];
	uint8_t raw[32], sum[SECRET_LEN];

	if (!number[0]) {
		if (random_bytes(NULL, raw, sizeof(raw)))
			return -EIO;
		base64url_format(raw, sizeof(raw), own);
		number = own;
	}
	if (sign(s, user, number, sum))
		return -EIO;
	base64url_format(sum, sizeof(sum), text);
	snprintf(out, 256,
		KNOWN_COOKIE "=%s.%s; Path=/; Max-Age=%d; HttpOnly; Secure; SameSite=Lax", number,
		text, MAX_AGE_S);
	return 0;
}
