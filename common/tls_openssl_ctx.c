/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Contexts and the choice of a server's certificate over OpenSSL. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/tls_openssl.h"

/* Forward secrecy with authenticated encryption first; the last ones are for old origins. */
#define CIPHERS                                                                                    \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                               \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                               \
	"ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA:"                       \
	"AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS	   "X25519:P-256:P-384:P-521"
/* 112 bits: RSA from 2048, curves from 224, no SHA-1. */
#define SECURITY_LEVEL 2
#define CA_FILE_MAX    (16 * 1024 * 1024)

/* -- Choice of the server's certificate -- */

/* The first host name of a server_name extension (RFC 6066 3): 1, 0 there is none, -1 malformed. */
static int read_sni(SSL *ssl, char **out)
{
	const unsigned char *p;
	size_t len, name_len;

	*out = NULL;
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &len))
		return 0;
	if (len < 5 || ((size_t)p[0] << 8 | p[1]) != len - 2 || p[2] != TLSEXT_NAMETYPE_host_name)
		return -1;
	name_len = (size_t)p[3] << 8 | p[4];
	if (name_len > len - 5)
		return -1;
	*out = tls_sni_copy((const char *)p + 5, name_len);
	return *out ? 1 : -1;
}

/* A session is for the name it was made for only (RFC 6066 3). */
static bool bind_sessions(SSL *ssl, const char *name)
{
	unsigned char digest[TLS_DIGEST_LEN];

	return EVP_Digest(name, strlen(name), digest, NULL, EVP_sha256(), NULL) == 1 &&
	       SSL_set_session_id_context(ssl, digest, sizeof(digest)) == 1;
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_ctx *ctx = arg;
	struct tls *t = SSL_get_app_data(ssl);
	const char *name;
	struct tls_cert *cert;
	int err;

	*alert = SSL_AD_UNRECOGNIZED_NAME;
	/* Comes a second time after a HelloRetryRequest. */
	free(t->st.sni);
	if (read_sni(ssl, &t->st.sni) < 0)
		return SSL_CLIENT_HELLO_ERROR;
	name = t->st.sni ? t->st.sni : t->st.name;
	if (!bind_sessions(ssl, name ? name : "")) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (!ctx->select_cert)
		return SSL_CLIENT_HELLO_SUCCESS;
	cert = ctx->select_cert(ctx->select_data, t->st.conn_data, name);
	if (!cert)
		return SSL_CLIENT_HELLO_ERROR;
	err = tls_cert_use(ssl, cert);
	tls_cert_free(cert);
	if (err)
		*alert = SSL_AD_INTERNAL_ERROR;
	return err ? SSL_CLIENT_HELLO_ERROR : SSL_CLIENT_HELLO_SUCCESS;
}

/* -- ALPN -- */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *arg)
{
	struct tls_ctx *ctx = arg;
	unsigned char *choice;

	(void)ssl;
	if (SSL_select_next_proto(&choice, out_len, ctx->alpn, (unsigned)ctx->alpn_len, in,
		    in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = choice;
	return SSL_TLSEXT_ERR_OK;
}

static int alpn_setup(struct tls_ctx *ctx, const char *const *alpn)
{
	struct buf wire;

	buf_init(&wire, 1024);
	for (; *alpn; alpn++) {
		buf_append_byte(&wire, (uint8_t)strlen(*alpn));
		buf_append_str(&wire, *alpn);
	}
	if (wire.failed) {
		int err = wire.failed;

		buf_fini(&wire);
		return err;
	}
	ctx->alpn = buf_release(&wire, &ctx->alpn_len);
	if (ctx->is_server)
		SSL_CTX_set_alpn_select_cb(ctx->ssl, on_alpn, ctx);
	else if (SSL_CTX_set_alpn_protos(ctx->ssl, ctx->alpn, (unsigned)ctx->alpn_len))
		return -EINVAL;
	return 0;
}

/* -- Trusted CAs -- */

/* Adds the certificates of a text; counts those that were read and that were not. */
static int add_cas(X509_STORE *store, const void *pem, size_t len, size_t *good, size_t *bad)
{
	BIO *b = BIO_new_mem_buf(pem, (int)len);
	char *name, *header;
	unsigned char *der;
	long der_len;

	*good = *bad = 0;
	if (!b)
		return -ENOMEM;
	while (PEM_read_bio(b, &name, &header, &der, &der_len) == 1) {
		const unsigned char *p = der;
		X509 *x = d2i_X509(NULL, &p, der_len);

		if (x && X509_STORE_add_cert(store, x))
			++*good;
		else
			++*bad;
		X509_free(x);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	BIO_free(b);
	ERR_clear_error();
	return 0;
}

static int load_cas(struct tls_ctx *ctx, const struct tls_config *cfg)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx->ssl);
	size_t good, bad;
	struct buf pem;
	int err = 0;

	if (cfg->ca_file) {
		buf_init(&pem, CA_FILE_MAX);
		err = buf_read_file(&pem, cfg->ca_file);
		if (!err)
			err = add_cas(store, pem.data, pem.len, &good, &bad);
		/* One that cannot be read is no reason to do without the rest. */
		if (!err && !good)
			err = -EINVAL;
		buf_fini(&pem);
	}
	if (!err && cfg->ca_pem) {
		err = add_cas(store, cfg->ca_pem, strlen(cfg->ca_pem), &good, &bad);
		if (!err && (!good || bad))
			err = -EINVAL;
	}
	return err;
}

/* -- Contexts -- */

static int client_setup(struct tls_ctx *ctx, const struct tls_config *cfg)
{
	/* Old origins know no secure renegotiation; there is none here in any case. */
	SSL_CTX_set_options(ctx->ssl, SSL_OP_LEGACY_SERVER_CONNECT);
	tls_client_setup(ctx);
	return load_cas(ctx, cfg);
}

static int server_setup(struct tls_ctx *ctx, const struct tls_config *cfg)
{
	if (!cfg->cert == !cfg->select_cert)
		return -EINVAL;
	SSL_CTX_set_options(ctx->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	if (cfg->cert && SSL_CTX_use_cert_and_key(ctx->ssl, cfg->cert->leaf, cfg->cert->key,
				 cfg->cert->above, 1) != 1)
		return -EINVAL;
	ctx->select_cert = cfg->select_cert;
	ctx->select_data = cfg->select_data;
	SSL_CTX_set_client_hello_cb(ctx->ssl, on_hello, ctx);
	return tls_ticket_setup(ctx);
}

static int common_setup(struct tls_ctx *ctx)
{
	SSL_CTX *s = ctx->ssl;

	SSL_CTX_set_security_level(s, SECURITY_LEVEL);
	if (!SSL_CTX_set_min_proto_version(s, TLS1_2_VERSION) ||
		!SSL_CTX_set_cipher_list(s, CIPHERS) || !SSL_CTX_set_ciphersuites(s, CIPHERS_13) ||
		!SSL_CTX_set1_groups_list(s, GROUPS))
		return -EINVAL;
	SSL_CTX_set_options(s, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(s, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	ctx->bio = tls_bio_method();
	return ctx->bio ? 0 : -ENOMEM;
}

static void on_free_nothing(void *value)
{
	(void)value;
}

int tls_ctx_new(const struct tls_config *cfg, struct tls_ctx **out)
{
	struct tls_ctx *ctx = calloc(1, sizeof(*ctx));
	int err;

	if (!ctx)
		return -ENOMEM;
	ctx->refs = 1;
	ctx->is_server = cfg->is_server;
	lru_init(&ctx->sessions, cfg->is_server ? 0 : cfg->session_cache, tls_session_free);
	lru_init(&ctx->chains, cfg->is_server ? 0 : cfg->chain_cache, on_free_nothing);
	ctx->ssl = SSL_CTX_new(cfg->is_server ? TLS_server_method() : TLS_client_method());
	err = ctx->ssl ? common_setup(ctx) : -ENOMEM;
	if (!err)
		err = cfg->is_server ? server_setup(ctx, cfg) : client_setup(ctx, cfg);
	if (!err && cfg->alpn)
		err = alpn_setup(ctx, cfg->alpn);
	ERR_clear_error();
	if (err) {
		tls_ctx_free(ctx);
		return err;
	}
	*out = ctx;
	return 0;
}

void tls_ctx_free(struct tls_ctx *ctx)
{
	if (!ctx || --ctx->refs)
		return;
	lru_fini(&ctx->sessions);
	lru_fini(&ctx->chains);
	SSL_CTX_free(ctx->ssl);
	BIO_meth_free(ctx->bio);
	EVP_CIPHER_free(ctx->ticket_cipher);
	OPENSSL_cleanse(ctx->ticket_keys, sizeof(ctx->ticket_keys));
	free(ctx->alpn);
	free(ctx);
}
