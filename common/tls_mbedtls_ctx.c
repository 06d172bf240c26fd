/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Contexts, certificates and their choice, verification and kept sessions over mbedtls. */
#include <arpa/inet.h>
#include <ctype.h>
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

#include "common/random.h"
#include "common/tls_mbedtls.h"

#define TICKET_LIFETIME_S 7200
#define SESSION_KEPT_S	  3600

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

/* -- Certificates -- */

static struct tls_cert *cert_alloc(void)
{
	struct tls_cert *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->refs = 1;
	mbedtls_x509_crt_init(&c->chain);
	mbedtls_pk_init(&c->key);
	return c;
}

static int key_parse(mbedtls_pk_context *key, const unsigned char *data, size_t len)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_parse_key(key, data, len, NULL, 0, random_bytes, NULL);
#else
	return mbedtls_pk_parse_key(key, data, len, NULL, 0);
#endif
}

int tls_cert_new(const char *pem, const char *key_pem, struct tls_cert **out)
{
	struct tls_cert *c = cert_alloc();

	if (!c)
		return -ENOMEM;
	if (mbedtls_x509_crt_parse(&c->chain, (const unsigned char *)pem, strlen(pem) + 1) ||
		key_parse(&c->key, (const unsigned char *)key_pem, strlen(key_pem) + 1)) {
		tls_cert_free(c);
		return -EINVAL;
	}
	*out = c;
	return 0;
}

int tls_cert_new_der(
	const struct tls_der *chain, size_t n, const struct tls_der *key, struct tls_cert **out)
{
	struct tls_cert *c = cert_alloc();

	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (mbedtls_x509_crt_parse_der(&c->chain, chain[i].data, chain[i].len))
			goto fail;
	if (!n || key_parse(&c->key, key->data, key->len))
		goto fail;
	*out = c;
	return 0;
fail:
	tls_cert_free(c);
	return -EINVAL;
}

struct tls_cert *tls_cert_ref(struct tls_cert *cert)
{
	cert->refs++;
	return cert;
}

void tls_cert_free(struct tls_cert *cert)
{
	if (!cert || --cert->refs)
		return;
	mbedtls_x509_crt_free(&cert->chain);
	mbedtls_pk_free(&cert->key);
	free(cert);
}

/* -- Choice of the server's certificate -- */

/* Takes the reference over. */
static int use_cert(struct tls *t, struct tls_cert *cert)
{
	if (t->n_certs == sizeof(t->certs) / sizeof(t->certs[0])) {
		tls_cert_free(cert);
		return -1;
	}
	t->certs[t->n_certs++] = cert;
	return mbedtls_ssl_set_hs_own_cert(&t->ssl, &cert->chain, &cert->key);
}

static char *sni_copy(const unsigned char *name, size_t len)
{
	char *copy;

	if (!len || len > 255)
		return NULL;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] >= 0x7f)
			return NULL;
	copy = strndup((const char *)name, len);
	for (char *p = copy; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static int on_sni(void *arg, mbedtls_ssl_context *ssl, const unsigned char *name, size_t len)
{
	struct tls_ctx *ctx = arg;
	struct tls *t = ctx->current;
	struct tls_cert *cert;

	free(t->sni);
	t->sni = sni_copy(name, len);
	if (!t->sni)
		return -1;
	if (!ctx->select_cert || (t->n_certs && t->name && !strcasecmp(t->name, t->sni)))
		return 0;
	cert = ctx->select_cert(ctx->select_data, t->conn_data, t->sni);
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
	cert = t->ctx->select_cert(t->ctx->select_data, t->conn_data, t->name);
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

	if (!t->ctx->select_cert || !t->name)
		return;
	cert = t->ctx->select_cert(t->ctx->select_data, t->conn_data, t->name);
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

/* -- Verification of the peer -- */

/* Does the certificate carry this IP address? The library below 3.5 compares DNS names only. */
static bool has_ip(const mbedtls_x509_crt *crt, const char *name)
{
	unsigned char want[16];
	size_t len = 4;

	if (inet_pton(AF_INET, name, want) != 1) {
		if (inet_pton(AF_INET6, name, want) != 1)
			return false;
		len = 16;
	}
	for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s; s = s->next)
		if ((s->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == 7 && s->buf.len == len &&
			!memcmp(s->buf.p, want, len))
			return true;
	return false;
}

static bool is_self_signed(const mbedtls_x509_crt *crt)
{
	return crt->issuer_raw.len == crt->subject_raw.len &&
	       !memcmp(crt->issuer_raw.p, crt->subject_raw.p, crt->subject_raw.len);
}

static enum tls_verify verify_reason(uint32_t flags)
{
	const uint32_t weak = MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK |
			      MBEDTLS_X509_BADCERT_BAD_KEY;

	if (!flags)
		return TLS_VERIFY_OK;
	/* A weak signature also keeps the path from being built. */
	if (flags & weak)
		return TLS_VERIFY_WEAK;
	if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		return TLS_VERIFY_UNTRUSTED;
	if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
		return TLS_VERIFY_EXPIRED;
	if (flags & MBEDTLS_X509_BADCERT_FUTURE)
		return TLS_VERIFY_NOT_YET;
	if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
		return TLS_VERIFY_WRONG_NAME;
	if (flags & MBEDTLS_X509_BADCERT_REVOKED)
		return TLS_VERIFY_REVOKED;
	return TLS_VERIFY_OTHER;
}

/* Called from the top of the chain down; depth 0, the leaf, comes last. */
static int on_verify(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct tls *t = arg;
	enum tls_verify reason;

	t->verify_seen = true;
	if (depth == 0 && t->name_is_ip && !has_ip(crt, t->name))
		*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	reason = verify_reason(*flags);
	if (depth == 0 && reason == TLS_VERIFY_UNTRUSTED && is_self_signed(crt))
		reason = TLS_VERIFY_SELF_SIGNED;
	if (reason != TLS_VERIFY_OK && (t->verify == TLS_VERIFY_OK || reason < t->verify))
		t->verify = reason;
	return 0;
}

/* -- Kept sessions -- */

static void on_free_session(void *value)
{
	struct tls_kept_session *s = value;

	list_remove(&s->node);
	mbedtls_ssl_session_free(&s->session);
	free(s);
}

static time_t crt_end(const mbedtls_x509_crt *crt)
{
	struct tm tm = {
		.tm_year = crt->valid_to.year - 1900,
		.tm_mon = crt->valid_to.mon - 1,
		.tm_mday = crt->valid_to.day,
		.tm_hour = crt->valid_to.hour,
		.tm_min = crt->valid_to.min,
		.tm_sec = crt->valid_to.sec,
	};

	return timegm(&tm);
}

void tls_session_save(struct tls *t)
{
	struct tls_ctx *ctx = t->ctx;
	const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&t->ssl);
	struct tls_kept_session *s;
	time_t now = time(NULL);

	if (!ctx->session_cache || !crt)
		return;
	s = calloc(1, sizeof(*s) + strlen(t->name) + 1);
	if (!s)
		return;
	list_init(&s->node);
	memcpy(s->name, t->name, strlen(t->name) + 1);
	mbedtls_ssl_session_init(&s->session);
	s->until = now + SESSION_KEPT_S;
	if (crt_end(crt) < s->until)
		s->until = crt_end(crt);
	if (mbedtls_ssl_get_session(&t->ssl, &s->session) ||
		hmap_set_str(&ctx->sessions, s->name, s)) {
		on_free_session(s);
		return;
	}
	list_add(&ctx->sessions_lru, &s->node);
	if (ctx->sessions.count > ctx->session_cache) {
		struct list *oldest = ctx->sessions_lru.next;

		hmap_remove_str(
			&ctx->sessions, container_of(oldest, struct tls_kept_session, node)->name);
	}
}

static void session_offer(struct tls *t)
{
	struct tls_kept_session *s = hmap_find_str(&t->ctx->sessions, t->name);

	if (!s)
		return;
	if (s->until <= time(NULL)) {
		hmap_remove_str(&t->ctx->sessions, t->name);
		return;
	}
	list_remove(&s->node);
	list_add(&t->ctx->sessions_lru, &s->node);
	t->session_set = !mbedtls_ssl_set_session(&t->ssl, &s->session);
}

int tls_client_prepare(struct tls *t)
{
	unsigned char ip[16];

	t->name_is_ip =
		inet_pton(AF_INET, t->name, ip) == 1 || inet_pton(AF_INET6, t->name, ip) == 1;
	/* No SNI for addresses (RFC 6066 3); on_verify compares them. */
	if (mbedtls_ssl_set_hostname(&t->ssl, t->name_is_ip ? NULL : t->name))
		return -EINVAL;
	mbedtls_ssl_set_verify(&t->ssl, on_verify, t);
	if (t->ctx->session_cache)
		session_offer(t);
	return 0;
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
	mbedtls_ssl_conf_authmode(&ctx->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(&ctx->conf, &ctx->cas, NULL);
	mbedtls_ssl_conf_session_tickets(&ctx->conf, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
	ctx->session_cache = cfg->session_cache;
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
		if (mbedtls_ssl_conf_own_cert(&ctx->conf, &ctx->cert->chain, &ctx->cert->key))
			return -EINVAL;
	}
	ctx->select_cert = cfg->select_cert;
	ctx->select_data = cfg->select_data;
	mbedtls_ssl_conf_sni(&ctx->conf, on_sni, ctx);
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_ssl_conf_cert_cb(&ctx->conf, on_hello);
#endif
	if (mbedtls_ssl_ticket_setup(&ctx->ticket, mbedtls_ctr_drbg_random, &ctx->rng,
		    MBEDTLS_CIPHER_AES_256_GCM, TICKET_LIFETIME_S))
		return -ENOMEM;
	mbedtls_ssl_conf_session_tickets_cb(&ctx->conf, on_ticket_write, on_ticket_parse, ctx);
	return 0;
}

/* The library's own order begins with its strongest and slowest curve, three times the work of a
 * handshake. */
static void set_groups(struct tls_ctx *ctx)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	static const uint16_t groups[] = { MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
		MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
		MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE };

	mbedtls_ssl_conf_groups(&ctx->conf, groups);
#else
	static const mbedtls_ecp_group_id groups[] = { MBEDTLS_ECP_DP_SECP256R1,
		MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_SECP521R1,
		MBEDTLS_ECP_DP_NONE };

	mbedtls_ssl_conf_curves(&ctx->conf, groups);
#endif
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
	hmap_init(&ctx->sessions, on_free_session);
	list_init(&ctx->sessions_lru);
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
	hmap_fini(&ctx->sessions);
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
