/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/crypto.h"
#include <errno.h>
#include <mbedtls/aes.h>
#include <mbedtls/gcm.h>
#include <mbedtls/md.h>

int crypto_hmac(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
	uint8_t out[static CRYPTO_HASH_LEN])
{
	const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);

	return mbedtls_md_hmac(sha256, key, key_len, data, len, out) ? -EIO : 0;
}

int crypto_block(const uint8_t key[static CRYPTO_BLOCK_LEN],
	const uint8_t in[static CRYPTO_BLOCK_LEN], uint8_t out[static CRYPTO_BLOCK_LEN])
{
	mbedtls_aes_context aes;

	mbedtls_aes_init(&aes);
	int err = mbedtls_aes_setkey_enc(&aes, key, CRYPTO_BLOCK_LEN * 8);
	if (!err)
		err = mbedtls_aes_crypt_ecb(&aes, MBEDTLS_AES_ENCRYPT, in, out);
	mbedtls_aes_free(&aes);
	return err ? -EIO : 0;
}

int crypto_open(const uint8_t key[static CRYPTO_BLOCK_LEN],
	const uint8_t nonce[static CRYPTO_NONCE_LEN], const struct crypto_sealed *sealed,
	uint8_t *out)
{
	mbedtls_gcm_context gcm;

	if (sealed->len < CRYPTO_TAG_LEN)
		return -EBADMSG;
	size_t len = sealed->len - CRYPTO_TAG_LEN;
	mbedtls_gcm_init(&gcm);
	int err = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, CRYPTO_BLOCK_LEN * 8);
	if (!err)
		err = mbedtls_gcm_auth_decrypt(&gcm, len, nonce, CRYPTO_NONCE_LEN, sealed->ad,
			sealed->ad_len, sealed->data + len, CRYPTO_TAG_LEN, sealed->data, out);
	mbedtls_gcm_free(&gcm);
	if (err)
		return err == MBEDTLS_ERR_GCM_AUTH_FAILED ? -EBADMSG : -EIO;
	return 0;
}
