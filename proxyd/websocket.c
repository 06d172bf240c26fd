/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/websocket.h"
#include "common/random.h"
#include <errno.h>
#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

int websocket_add_key(struct http_head *h, char key[static WEBSOCKET_KEY_LEN])
{
	unsigned char nonce[16];
	size_t len;

	if (random_bytes(NULL, nonce, sizeof(nonce)) ||
		mbedtls_base64_encode(
			(unsigned char *)key, WEBSOCKET_KEY_LEN, &len, nonce, sizeof(nonce)))
		return -EIO;
	return http_head_set(h, "Sec-WebSocket-Key", key);
}

bool websocket_is_accepted(const struct http_head *h, const char *key)
{
	const char *accept = http_head_get(h, "Sec-WebSocket-Accept");
	unsigned char text[WEBSOCKET_KEY_LEN + sizeof(GUID)], digest[20], want[32];
	int n = snprintf((char *)text, sizeof(text), "%s" GUID, key);
	size_t len;

	if (!accept ||
		mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), text, (size_t)n, digest) ||
		mbedtls_base64_encode(want, sizeof(want), &len, digest, sizeof(digest)))
		return false;
	return !strcmp(accept, (char *)want);
}
