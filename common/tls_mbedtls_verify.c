/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The client's look at a server's certificates, over mbedtls. The library only parses them
 * (MBEDTLS_SSL_VERIFY_NONE); tls_handshake calls tls_verify_peer right after that, before anything
 * that follows in the handshake.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/oid.h>
#include <mbedtls/sha256.h>

#include "common/name_constraints.h"
#include "common/tls_mbedtls.h"

/* As long as the longest path that the library builds. */
#define PATH_MAX_LEN (MBEDTLS_X509_MAX_INTERMEDIATE_CA + 2)

struct judgement {
	const struct tls_ctx *ctx;
	const char *name;
	uint32_t reasons;			    /* bits 1 << enum tls_verify */
	time_t end;				    /* the first of the path's */
	const mbedtls_x509_crt *path[PATH_MAX_LEN]; /* from the top down */
	size_t path_len;
};

/* -- Reading -- */

/* Name constraints are looked at by is_allowed. */
static int on_extension(void *arg, const mbedtls_x509_crt *crt, const mbedtls_x509_buf *oid,
	int is_critical, const unsigned char *p, const unsigned char *end)
{
	static const unsigned char name_constraints[] = { 0x55, 0x1d, 0x1e };

	(void)arg;
	(void)crt;
	(void)is_critical;
	(void)p;
	(void)end;
	return oid->len == sizeof(name_constraints) &&
			       !memcmp(oid->p, name_constraints, sizeof(name_constraints))
		       ? 0
		       : MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE;
}

/*
 * The library's own function of this name takes no certificate with a critical extension that it
 * does not know, and name constraints must be critical. The handshake calls the function by its
 * name across two libraries, and so comes by here. (Were it to find the library's own instead, such
 * certificates would be refused as before.)
 */
int mbedtls_x509_crt_parse_der(mbedtls_x509_crt *chain, const unsigned char *buf, size_t len)
{
	return mbedtls_x509_crt_parse_der_with_ext_cb(chain, buf, len, 1, on_extension, NULL);
}

/* -- Judging -- */

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

static bool is_same(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
	return a->len == b->len && !memcmp(a->p, b->p, a->len);
}

/* Why there is no way up from this certificate. */
static enum tls_verify untrusted_reason(
	const struct tls_ctx *ctx, const mbedtls_x509_crt *crt, int depth)
{
	if (is_same(&crt->issuer_raw, &crt->subject_raw))
		return depth ? TLS_VERIFY_UNTRUSTED : TLS_VERIFY_SELF_SIGNED;
	for (const mbedtls_x509_crt *ca = &ctx->cas; ca && ca->raw.p; ca = ca->next)
		if (is_same(&ca->subject_raw, &crt->issuer_raw))
			return TLS_VERIFY_UNTRUSTED;
	return TLS_VERIFY_INCOMPLETE;
}

static uint32_t reasons_of(
	const struct judgement *j, const mbedtls_x509_crt *crt, int depth, uint32_t flags)
{
	static const struct {
		uint32_t flags;
		enum tls_verify reason;
	} map[] = {
		{ MBEDTLS_X509_BADCERT_BAD_MD, TLS_VERIFY_WEAK_SIGNATURE },
		{ MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY, TLS_VERIFY_WEAK_KEY },
		{ MBEDTLS_X509_BADCERT_EXPIRED, TLS_VERIFY_EXPIRED },
		{ MBEDTLS_X509_BADCERT_FUTURE, TLS_VERIFY_NOT_YET },
		{ MBEDTLS_X509_BADCERT_CN_MISMATCH, TLS_VERIFY_WRONG_NAME },
	};
	uint32_t reasons = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (flags & map[i].flags)
			reasons |= 1U << map[i].reason;
		flags &= ~map[i].flags;
	}
	if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		reasons |= 1U << untrusted_reason(j->ctx, crt, depth);
	if (flags & ~(uint32_t)MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		reasons |= 1U << TLS_VERIFY_OTHER;
	return reasons;
}

/* May it be a server's? An authority's extended key usage restricts what is below it. */
static bool has_server_usage(const mbedtls_x509_crt *crt, int depth)
{
	if (mbedtls_x509_crt_check_extended_key_usage(
		    crt, MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)))
		return false;
	return depth || !mbedtls_x509_crt_check_key_usage(crt, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) ||
	       !mbedtls_x509_crt_check_key_usage(crt, MBEDTLS_X509_KU_KEY_ENCIPHERMENT);
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

static struct der der_of(const mbedtls_x509_buf *b)
{
	return (struct der){ b->p, b->len };
}

/* By all that stand above it. */
static bool is_allowed(const struct judgement *j, const mbedtls_x509_crt *crt)
{
	for (size_t i = 0; i < j->path_len; i++)
		if (!name_constraints_allow(der_of(&j->path[i]->v3_ext), der_of(&crt->v3_ext),
			    der_of(&crt->subject_raw)))
			return false;
	return true;
}

/* Called from the top of the path down; depth 0, the leaf, comes last. */
static int on_verify(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct judgement *j = arg;

	j->reasons |= reasons_of(j, crt, depth, *flags);
	/* What stands at the top is the configured CA, or nothing is trusted anyway. */
	if ((j->path_len || !depth) && !has_server_usage(crt, depth))
		j->reasons |= 1U << TLS_VERIFY_USAGE;
	if (!is_allowed(j, crt))
		j->reasons |= 1U << TLS_VERIFY_CONSTRAINED;
	if (!depth && tls_name_is_address(j->name) && !has_ip(crt, j->name))
		j->reasons |= 1U << TLS_VERIFY_WRONG_NAME;
	if (!depth && !crt->subject_alt_names.buf.p)
		j->reasons |= 1U << TLS_VERIFY_WRONG_NAME;
	if (!j->path_len || crt_end(crt) < j->end)
		j->end = crt_end(crt);
	if (j->path_len == PATH_MAX_LEN)
		return MBEDTLS_ERR_X509_FATAL_ERROR;
	j->path[j->path_len++] = crt;
	return 0;
}

/* The key of tls_ctx.chains. */
static int chain_key(
	const mbedtls_x509_crt *chain, const char *name, char key[static TLS_CHAIN_KEY_LEN])
{
	uint8_t digest[TLS_DIGEST_LEN];
	mbedtls_sha256_context sum;
	int err;

	mbedtls_sha256_init(&sum);
#if MBEDTLS_VERSION_MAJOR >= 3
	err = mbedtls_sha256_starts(&sum, 0);
	for (const mbedtls_x509_crt *c = chain; c && !err; c = c->next)
		err = mbedtls_sha256_update(&sum, c->raw.p, c->raw.len);
	err = err ? err : mbedtls_sha256_finish(&sum, digest);
#else
	err = mbedtls_sha256_starts_ret(&sum, 0);
	for (const mbedtls_x509_crt *c = chain; c && !err; c = c->next)
		err = mbedtls_sha256_update_ret(&sum, c->raw.p, c->raw.len);
	err = err ? err : mbedtls_sha256_finish_ret(&sum, digest);
#endif
	mbedtls_sha256_free(&sum);
	tls_chain_key(digest, name, key);
	return err ? -EIO : 0;
}

static void judge(struct tls *t, mbedtls_x509_crt *chain, struct judgement *j)
{
	uint32_t flags = 0;
	int ret = mbedtls_x509_crt_verify_with_profile(chain, &t->ctx->cas, NULL,
		&mbedtls_x509_crt_profile_default,
		tls_name_is_address(t->st.name) ? NULL : t->st.name, &flags, on_verify, j);

	if (ret && !j->reasons)
		j->reasons = 1U << TLS_VERIFY_OTHER;
	t->st.verify = tls_verify_first(j->reasons);
}

bool tls_verify_peer(struct tls *t)
{
	mbedtls_x509_crt *chain =
		t->ssl.MBEDTLS_PRIVATE(session_negotiate)->MBEDTLS_PRIVATE(peer_cert);
	struct judgement j = { .ctx = t->ctx, .name = t->st.name };
	char key[TLS_CHAIN_KEY_LEN];
	bool has_key;

	t->st.verify = TLS_VERIFY_OTHER;
	if (!chain)
		return false;
	has_key = t->ctx->chains.max && !chain_key(chain, t->st.name, key);
	t->st.chain_known = has_key && lru_find(&t->ctx->chains, key, time(NULL));
	if (t->st.chain_known) {
		t->st.verify = TLS_VERIFY_OK;
		return true;
	}
	judge(t, chain, &j);
	if (t->st.verify == TLS_VERIFY_OK && has_key)
		lru_set(&t->ctx->chains, key, t->ctx, tls_kept_until(time(NULL), j.end));
	return t->st.verify == TLS_VERIFY_OK;
}

enum tls_verify tls_verify_from_error(int ret)
{
	int high = -(-ret & 0xff80);

	switch (high) {
	case MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE:
	case MBEDTLS_ERR_X509_INVALID_EXTENSIONS:
	case MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG:
	case MBEDTLS_ERR_X509_UNKNOWN_VERSION:
	case MBEDTLS_ERR_PK_UNKNOWN_PK_ALG:
	case MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE:
	case MBEDTLS_ERR_PK_INVALID_ALG:
		return TLS_VERIFY_UNSUPPORTED;
	default:
		return high <= MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE &&
				       high >= MBEDTLS_ERR_X509_BUFFER_TOO_SMALL
			       ? TLS_VERIFY_OTHER
			       : TLS_VERIFY_OK;
	}
}

/* -- Kept sessions -- */

void tls_session_free(void *session)
{
	mbedtls_ssl_session_free(session);
	free(session);
}

void tls_session_save(struct tls *t)
{
	const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&t->ssl);
	mbedtls_ssl_session *s;

	if (!t->ctx->sessions.max || !crt)
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	mbedtls_ssl_session_init(s);
	if (mbedtls_ssl_get_session(&t->ssl, s)) {
		tls_session_free(s);
		return;
	}
	lru_set(&t->ctx->sessions, t->st.name, s, tls_kept_until(time(NULL), crt_end(crt)));
}

int tls_client_prepare(struct tls *t)
{
	mbedtls_ssl_session *s;

	/* tls_verify_peer compares the names itself. */
	if (mbedtls_ssl_set_hostname(&t->ssl, tls_name_is_address(t->st.name) ? NULL : t->st.name))
		return -EINVAL;
	s = lru_find(&t->ctx->sessions, t->st.name, time(NULL));
	t->session_set = s && !mbedtls_ssl_set_session(&t->ssl, s);
	return 0;
}
