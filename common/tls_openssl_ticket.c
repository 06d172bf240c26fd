/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tickets to clients (RFC 5077 4): sealed under a key that changes; those of the key before are
 * still opened, and renewed.
 */
#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "common/tls_openssl.h"

static int make_key(struct tls_ticket_key *k, time_t now)
{
	if (RAND_bytes(k->name, sizeof(k->name)) != 1 ||
		RAND_priv_bytes(k->cipher_key, sizeof(k->cipher_key)) != 1 ||
		RAND_priv_bytes(k->mac_key, sizeof(k->mac_key)) != 1)
		return -EIO;
	k->made = now;
	return 0;
}

/* The first key is younger than its life afterwards, the second younger than two. */
static int rotate(struct tls_ctx *ctx)
{
	struct tls_ticket_key *k = ctx->ticket_keys;
	time_t now = time(NULL);

	if (k[1].made && (now < k[1].made || now - k[1].made >= 2 * TLS_TICKET_LIFE_S))
		OPENSSL_cleanse(&k[1], sizeof(k[1]));
	if (k[0].made && now >= k[0].made && now - k[0].made < TLS_TICKET_LIFE_S)
		return 0;
	if (k[0].made && now >= k[0].made && now - k[0].made < 2 * TLS_TICKET_LIFE_S)
		k[1] = k[0];
	return make_key(&k[0], now);
}

static int init_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *k)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac_key, sizeof(k->mac_key)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params);
}

static int seal(const struct tls_ctx *ctx, unsigned char *name, unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const struct tls_ticket_key *k = &ctx->ticket_keys[0];

	memcpy(name, k->name, sizeof(k->name));
	return RAND_bytes(iv, EVP_CIPHER_get_iv_length(ctx->ticket_cipher)) == 1 &&
			       EVP_EncryptInit_ex(
				       cipher, ctx->ticket_cipher, NULL, k->cipher_key, iv) == 1 &&
			       init_mac(mac, k) == 1
		       ? 1
		       : -1;
}

/* 1: opened; 2: opened, and a new one is due; 0: not one of ours. */
static int unseal(const struct tls_ctx *ctx, const unsigned char *name, const unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	for (int i = 0; i < 2; i++) {
		const struct tls_ticket_key *k = &ctx->ticket_keys[i];

		if (!k->made || memcmp(name, k->name, sizeof(k->name)) != 0)
			continue;
		if (EVP_DecryptInit_ex(cipher, ctx->ticket_cipher, NULL, k->cipher_key, iv) != 1 ||
			init_mac(mac, k) != 1)
			return -1;
		return i ? 2 : 1;
	}
	return 0;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int is_new)
{
	struct tls *t = SSL_get_app_data(ssl);

	if (rotate(t->ctx))
		return -1;
	return is_new ? seal(t->ctx, name, iv, cipher, mac) : unseal(t->ctx, name, iv, cipher, mac);
}

int tls_ticket_setup(struct tls_ctx *ctx)
{
	ctx->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (!ctx->ticket_cipher)
		return -ENOMEM;
	SSL_CTX_set_timeout(ctx->ssl, TLS_TICKET_LIFE_S);
	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx->ssl, on_ticket) ? 0 : -EINVAL;
}
