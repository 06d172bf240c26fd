/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/cookie.h"

#include "common/siphash.h"
#include "common/timer.h"
#include <string.h>

enum { VERSION = 1, HASHED = 16, TIME_AT = 12 };

void cookie_add(const uint8_t secret[static 16], const struct addr *client,
	uint8_t cookie[static COOKIE_LEN])
{
	uint8_t in[HASHED + 16];
	size_t client_len = addr_len(client);

	memset(cookie + COOKIE_CLIENT_LEN, 0, COOKIE_LEN - COOKIE_CLIENT_LEN);
	cookie[COOKIE_CLIENT_LEN] = VERSION;
	message_put32(cookie + TIME_AT, (uint32_t)(clock_wall_ms() / 1000));
	memcpy(in, cookie, HASHED);
	memcpy(in + HASHED, client->bytes, client_len);
	uint64_t hash = siphash13(secret, in, HASHED + client_len);
	memcpy(cookie + HASHED, &hash, sizeof(hash));
}
