/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Contexts and the choice of a server's certificate over mbedtls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <mbedtls/platform.h>
#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#else
#include <mbedtls/ssl_internal.h>
#endif

#include "common/tls_mbedtls.h"

/* TLS 1.2: forward secrecy with authenticated encryption first; the last ones are for old origins.
 */
static const int ciphersuites[] = {
#if MBEDTLS_VERSION_MAJOR >= 3
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
	MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
	MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
#endif
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	MBEDTLS_TLS_RSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_RSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_RSA_WITH_AES_128_CBC_SHA,
	0,
};

/* -- Choice of the server's certificate -- */

/* Takes the reference over. */
static int use_cert(struct tls *t, struct tls_cert *cert)
{
	if (t->n_certs == sizeof(t->certs) / sizeof(t->certs[0])) {
		tls_cert_free(cert);
		return -1;
	}
	t->certs[t->n_certs++] = cert;
	return mbedtls_ssl_set_hs_own_cert(&t->ssl, &cert->chain, &cert->key->pk);
}

static int on_sni(void *arg, mbedtls_ssl_context *ssl, const unsigned char *name, size_t len)
{
	struct tls_ctx *ctx = arg;
	struct tls *t = ctx->current;
	struct tls_cert *cert;

	free(t->st.sni);
	t->st.sni = tls_sni_copy((const char *)name, len);
	if (!t->st.sni)
		return -1;
	if (!ctx->select_cert || (t->n_certs && t->st.name && !strcasecmp(t->st.name, t->st.sni)))
		return 0;
	cert = ctx->select_cert(ctx->select_data, t->st.conn_data, t->st.sni);
	if (!cert)
		return -1;
#if MBEDTLS_VERSION_MAJOR < 3
	/* The list is searched from its start: the default put there must go. */
	while (ssl->handshake->sni_key_cert) {
		mbedtls_ssl_key_cert *first = ssl->handshake->sni_key_cert;

		ssl->handshake->sni_key_cert = first->next;
		mbedtls_free(first);
	}
#else
	(void)ssl;
#endif
	return use_cert(t, cert);
}

#if MBEDTLS_VERSION_MAJOR >= 3
static int on_hello(mbedtls_ssl_context *ssl)
{
	struct tls *t = mbedtls_ssl_get_user_data_p(ssl);
	struct tls_cert *cert;

	if (t->n_certs || !t->ctx->select_cert)
		return 0;
	cert = t->ctx->select_cert(t->ctx->select_data, t->st.conn_data, t->st.name);
	return cert ? use_cert(t, cert) : -1;
}

void tls_server_prepare(struct tls *t)
{
	mbedtls_ssl_set_user_data_p(&t->ssl, t);
}
#else
void tls_server_prepare(struct tls *t)
{
	struct tls_cert *cert;

	if (!t->ctx->select_cert || !t->st.name)
		return;
	cert = t->ctx->select_cert(t->ctx->select_data, t->st.conn_data, t->st.name);
	if (cert)
		use_cert(t, cert);
}
#endif

static int on_ticket_parse(void *arg, mbedtls_ssl_session *session, unsigned char *data, size_t len)
{
	struct tls_ctx *ctx = arg;
	int ret = mbedtls_ssl_ticket_parse(&ctx->ticket, session, data, len);

	if (!ret && ctx->current)
		ctx->current->resumed = true;
	return ret;
}

static int on_ticket_write(void *arg, const mbedtls_ssl_session *session, unsigned char *start,
	const unsigned char *end, size_t *len, uint32_t *lifetime)
{
	struct tls_ctx *ctx = arg;

	return mbedtls_ssl_ticket_write(&ctx->ticket, session, start, end, len, lifetime);
}

/* -- Contexts -- */

static int alpn_copy(struct tls_ctx *ctx, const char *const *alpn)
{
	size_t n = 0;

	while (alpn[n])
		n++;
	ctx->alpn = calloc(n + 1, sizeof(*ctx->alpn));
	if (!ctx->alpn)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		ctx->alpn[i] = strdup(alpn[i]);
		if (!ctx->alpn[i])
			return -ENOMEM;
	}
	if (mbedtls_ssl_conf_alpn_protocols(&ctx->conf, (const char **)ctx->alpn))
		return -EINVAL;
	return 0;
}

static int client_setup(struct tls_ctx *ctx, const struct tls_config *cfg)
{
	if (cfg->ca_file) {
		struct buf pem;
		int err;

		buf_init(&pem, 16 * 1024 * 1024);
		err = buf_read_file(&pem, cfg->ca_file);
		/* A positive result counts the certificates that it could not read: the rest are
		 * there. */
		if (!err &&
			(!pem.data || mbedtls_x509_crt_parse(&ctx->cas, pem.data, pem.len + 1) < 0))
			err = -EINVAL;
		buf_fini(&pem);
		if (err)
			return err;
	}
	if (cfg->ca_pem && mbedtls_x509_crt_parse(&ctx->cas, (const unsigned char *)cfg->ca_pem,
				   strlen(cfg->ca_pem) + 1))
		return -EINVAL;
	/* By tls_verify_peer, with what the library lacks and a memory. */
	mbedtls_ssl_conf_authmode(&ctx->conf, MBEDTLS_SSL_VERIFY_NONE);
	mbedtls_ssl_conf_session_tickets(&ctx->conf, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
#ifdef MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED
	/* Else the library drops TLS 1.3 tickets unseen. */
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
		&ctx->conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
	return 0;
}

static int server_setup(struct tls_ctx *ctx, const struct tls_config *cfg)
{
	if (!cfg->cert == !cfg->select_cert)
		return -EINVAL;
	mbedtls_ssl_conf_authmode(&ctx->conf, MBEDTLS_SSL_VERIFY_NONE);
	if (cfg->cert) {
		ctx->cert = tls_cert_ref(cfg->cert);
		if (mbedtls_ssl_conf_own_cert(&ctx->conf, &ctx->cert->chain, &ctx->cert->key->pk))
			return -EINVAL;
	}
	ctx->select_cert = cfg->select_cert;
	ctx->select_data = cfg->select_data;
	mbedtls_ssl_conf_sni(&ctx->conf, on_sni, ctx);
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_ssl_conf_cert_cb(&ctx->conf, on_hello);
#endif
	if (mbedtls_ssl_ticket_setup(&ctx->ticket, mbedtls_ctr_drbg_random, &ctx->rng,
		    MBEDTLS_CIPHER_AES_256_GCM, TLS_TICKET_LIFE_S))
		return -ENOMEM;
	mbedtls_ssl_conf_session_tickets_cb(&ctx->conf, on_ticket_write, on_ticket_parse, ctx);
	return 0;
}

/* The library's own order begins with its strongest and slowest curve, three times the work of a
 * handshake. The quickest comes first: X25519 in 2.28 (1.1 ms, P-256 1.4), P-256 in 3.x, which has
 * tables for it. */
static void set_groups(struct tls_ctx *ctx)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	static const uint16_t groups[] = { MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
		MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
		MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE };

	mbedtls_ssl_conf_groups(&ctx->conf, groups);
#else
	static const mbedtls_ecp_group_id groups[] = { MBEDTLS_ECP_DP_CURVE25519,
		MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_SECP521R1,
		MBEDTLS_ECP_DP_NONE };

	mbedtls_ssl_conf_curves(&ctx->conf, groups);
#endif
}

static void on_free_nothing(void *value)
{
	(void)value;
}

int tls_ctx_new(const struct tls_config *cfg, struct tls_ctx **out)
{
	struct tls_ctx *ctx = calloc(1, sizeof(*ctx));
	int err = -ENOMEM;

	if (!ctx)
		return -ENOMEM;
	ctx->refs = 1;
	ctx->is_server = cfg->is_server;
	mbedtls_ssl_config_init(&ctx->conf);
	mbedtls_entropy_init(&ctx->entropy);
	mbedtls_ctr_drbg_init(&ctx->rng);
	mbedtls_x509_crt_init(&ctx->cas);
	mbedtls_ssl_ticket_init(&ctx->ticket);
	lru_init(&ctx->sessions, cfg->is_server ? 0 : cfg->session_cache, tls_session_free);
	lru_init(&ctx->chains, cfg->is_server ? 0 : cfg->chain_cache, on_free_nothing);
#if MBEDTLS_VERSION_MAJOR >= 3
	if (psa_crypto_init() != PSA_SUCCESS)
		goto fail;
#endif
	if (mbedtls_ctr_drbg_seed(&ctx->rng, mbedtls_entropy_func, &ctx->entropy, NULL, 0) ||
		mbedtls_ssl_config_defaults(&ctx->conf,
			cfg->is_server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
			MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT))
		goto fail;
	mbedtls_ssl_conf_rng(&ctx->conf, mbedtls_ctr_drbg_random, &ctx->rng);
	mbedtls_ssl_conf_ciphersuites(&ctx->conf, ciphersuites);
	set_groups(ctx);
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_ssl_conf_min_tls_version(&ctx->conf, MBEDTLS_SSL_VERSION_TLS1_2);
#else
	mbedtls_ssl_conf_min_version(
		&ctx->conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
	err = cfg->is_server ? server_setup(ctx, cfg) : client_setup(ctx, cfg);
	if (!err && cfg->alpn)
		err = alpn_copy(ctx, cfg->alpn);
	if (err)
		goto fail;
	*out = ctx;
	return 0;
fail:
	tls_ctx_free(ctx);
	return err;
}

void tls_ctx_free(struct tls_ctx *ctx)
{
	if (!ctx || --ctx->refs)
		return;
	lru_fini(&ctx->sessions);
	lru_fini(&ctx->chains);
	mbedtls_ssl_config_free(&ctx->conf);
	mbedtls_ssl_ticket_free(&ctx->ticket);
	mbedtls_x509_crt_free(&ctx->cas);
	tls_cert_free(ctx->cert);
	mbedtls_ctr_drbg_free(&ctx->rng);
	mbedtls_entropy_free(&ctx->entropy);
	for (char **p = ctx->alpn; p && *p; p++)
		free(*p);
	free(ctx->alpn);
	free(ctx);
}
