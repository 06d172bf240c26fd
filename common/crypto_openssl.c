/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/crypto.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

int crypto_hmac(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
	uint8_t out[static CRYPTO_HASH_LEN])
{
	unsigned out_len = CRYPTO_HASH_LEN;

	return HMAC(EVP_sha256(), key, (int)key_len, data, len, out, &out_len) ? 0 : -EIO;
}

int crypto_block(const uint8_t key[static CRYPTO_BLOCK_LEN],
	const uint8_t in[static CRYPTO_BLOCK_LEN], uint8_t out[static CRYPTO_BLOCK_LEN])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int len = 0;

	if (!c)
		return -ENOMEM;
	int ok = EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, key, NULL) &&
		 EVP_CIPHER_CTX_set_padding(c, 0) &&
		 EVP_EncryptUpdate(c, out, &len, in, CRYPTO_BLOCK_LEN);
	EVP_CIPHER_CTX_free(c);
	return ok && len == CRYPTO_BLOCK_LEN ? 0 : -EIO;
}

static int open_with(EVP_CIPHER_CTX *c, const struct crypto_sealed *s, size_t len, uint8_t *out)
{
	uint8_t tag[CRYPTO_TAG_LEN];
	int n = 0;

	for (size_t i = 0; i < sizeof(tag); i++)
		tag[i] = s->data[len + i];
	if (!EVP_DecryptUpdate(c, NULL, &n, s->ad, (int)s->ad_len) ||
		!EVP_DecryptUpdate(c, out, &n, s->data, (int)len) ||
		!EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, CRYPTO_TAG_LEN, tag))
		return -EIO;
	return EVP_DecryptFinal_ex(c, out + n, &n) == 1 ? 0 : -EBADMSG;
}

int crypto_open(const uint8_t key[static CRYPTO_BLOCK_LEN],
	const uint8_t nonce[static CRYPTO_NONCE_LEN], const struct crypto_sealed *sealed,
	uint8_t *out)
{
	if (sealed->len < CRYPTO_TAG_LEN)
		return -EBADMSG;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	if (!c)
		return -ENOMEM;
	int err = EVP_DecryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, nonce)
			  ? open_with(c, sealed, sealed->len - CRYPTO_TAG_LEN, out)
			  : -EIO;
	EVP_CIPHER_CTX_free(c);
	return err;
}
