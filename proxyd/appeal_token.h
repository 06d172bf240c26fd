/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/uuid.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tokens in the portal's forms (SPEC P8): only the gateway makes them, each for one device and one
 * host, and for an hour. So no page of another site, and no other device, can send a form.
 */
#define APPEAL_TOKEN_MS (3600 * 1000)
#define APPEAL_TOKEN_LEN                                                                           \
	97 /* hexadecimal digits: 16 of the end, 16 of chance, 64 of HMAC-SHA256                   \
	    */

struct appeal_key {
	uint8_t bytes[32];
};

/* Reads the key in that directory, which all instances share; makes it (0400) when there is none.
 * -EINVAL: it is no key; -errno. */
int appeal_key_load(struct appeal_key *key, const char *dir);
/* now_ms: wall clock. -EIO. */
int appeal_token_make(const struct appeal_key *key, const char *device, const char *host,
	int64_t now_ms, char out[static APPEAL_TOKEN_LEN]);
bool appeal_token_is_good(const struct appeal_key *key, const char *token, const char *device,
	const char *host, int64_t now_ms);
/* The UUID (version 8, RFC 9562) of what is sent with a token: the same form, sent again, is the
 * same appeal. -EIO. */
int appeal_uuid_make(const struct appeal_key *key, const char *const *parts, size_t n,
	char out[static UUID_LEN]);
