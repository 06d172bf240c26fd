/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/base64url.h"

#include <errno.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_format(const uint8_t *data, size_t len, char *out)
{
	uint32_t bits = 0;
	unsigned n = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (n += 8; n >= 6; n -= 6)
			*out++ = alphabet[bits >> (n - 6) & 63];
	}
	if (n)
		*out++ = alphabet[bits << (6 - n) & 63];
	*out = '\0';
}

int base64url_parse(const char *text, size_t text_len, uint8_t *out, size_t len)
{
	uint32_t bits = 0;
	unsigned n = 0;
	size_t got = 0;

	if (text_len != BASE64URL_LEN(len))
		return -EINVAL;
	for (size_t i = 0; i < text_len; i++) {
		const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;

		if (!at)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)(at - alphabet);
		n += 6;
		if (n >= 8) {
			n -= 8;
			out[got++] = (uint8_t)(bits >> n);
		}
	}
	return bits & ((1u << n) - 1) ? -EINVAL : 0;
}
