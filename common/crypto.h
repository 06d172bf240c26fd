/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The few algorithms by which QUIC protects its first packets (RFC 9001 5), of whichever TLS
 * library there is. Nothing here is secret: their keys follow from what is sent in the clear. All
 * return 0, -ENOMEM or -EIO.
 */
#define CRYPTO_HASH_LEN	 32 /* SHA-256 */
#define CRYPTO_BLOCK_LEN 16 /* AES-128, its key too */
#define CRYPTO_NONCE_LEN 12
#define CRYPTO_TAG_LEN	 16

int crypto_hmac(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
	uint8_t out[static CRYPTO_HASH_LEN]);
/* One block under AES-128. */
int crypto_block(const uint8_t key[static CRYPTO_BLOCK_LEN],
	const uint8_t in[static CRYPTO_BLOCK_LEN], uint8_t out[static CRYPTO_BLOCK_LEN]);
struct crypto_sealed {
	const uint8_t *ad; /* in the clear, and protected */
	size_t ad_len;
	const uint8_t *data; /* the tag stands at its end */
	size_t len;
};
/* AES-128-GCM. out has len - CRYPTO_TAG_LEN bytes. -EBADMSG: it was not sealed with that key. */
int crypto_open(const uint8_t key[static CRYPTO_BLOCK_LEN],
	const uint8_t nonce[static CRYPTO_NONCE_LEN], const struct crypto_sealed *sealed,
	uint8_t *out);
