/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/websocket_key.h"

#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum { KEY_LEN = 24 };

bool websocket_accept(const char *key, char out[static 32])
{
	unsigned char raw[18], digest[20], text[KEY_LEN + sizeof(GUID)];
	size_t len;

	if (strlen(key) != KEY_LEN ||
		mbedtls_base64_decode(
			raw, sizeof(raw), &len, (const unsigned char *)key, KEY_LEN) ||
		len != 16)
		return false;
	snprintf((char *)text, sizeof(text), "%s" GUID, key);
	return !mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), text, sizeof(text) - 1,
		       digest) &&
	       !mbedtls_base64_encode((unsigned char *)out, 32, &len, digest, sizeof(digest));
}
