/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client's look at a server's certificates, and kept sessions, over OpenSSL. */
#include <errno.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "common/tls_openssl.h"

static enum tls_verify reason_of(int error)
{
	switch (error) {
	case X509_V_OK:
		return TLS_VERIFY_OK;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return TLS_VERIFY_SELF_SIGNED;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_INVALID_NON_CA:
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
		return TLS_VERIFY_UNTRUSTED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return TLS_VERIFY_INCOMPLETE;
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return TLS_VERIFY_WEAK_SIGNATURE;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
		return TLS_VERIFY_WEAK_KEY;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_VERIFY_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_VERIFY_NOT_YET;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_VERIFY_WRONG_NAME;
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
	case X509_V_ERR_SUBTREE_MINMAX:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
	case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
		return TLS_VERIFY_CONSTRAINED;
	case X509_V_ERR_INVALID_PURPOSE:
		return TLS_VERIFY_USAGE;
	case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
	case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY:
		return TLS_VERIFY_UNSUPPORTED;
	default:
		return TLS_VERIFY_OTHER;
	}
}

/* The error whose alert (RFC 8446 6.2) the peer gets. */
static int error_of(enum tls_verify reason)
{
	switch (reason) {
	case TLS_VERIFY_OK:
		return X509_V_OK;
	case TLS_VERIFY_SELF_SIGNED:
	case TLS_VERIFY_UNTRUSTED:
	case TLS_VERIFY_INCOMPLETE:
		return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
	case TLS_VERIFY_EXPIRED:
		return X509_V_ERR_CERT_HAS_EXPIRED;
	case TLS_VERIFY_USAGE:
	case TLS_VERIFY_UNSUPPORTED:
		return X509_V_ERR_INVALID_PURPOSE;
	case TLS_VERIFY_WEAK_SIGNATURE:
	case TLS_VERIFY_WEAK_KEY:
	case TLS_VERIFY_NOT_YET:
	case TLS_VERIFY_WRONG_NAME:
	case TLS_VERIFY_CONSTRAINED:
	case TLS_VERIFY_OTHER:
		break;
	}
	return X509_V_ERR_CERT_REJECTED;
}

static struct tls *connection_of(X509_STORE_CTX *sc)
{
	return SSL_get_app_data(
		X509_STORE_CTX_get_ex_data(sc, SSL_get_ex_data_X509_STORE_CTX_idx()));
}

/* Notes what is wrong and goes on, so that the reason told does not depend on the order of checks.
 */
static int on_check(int ok, X509_STORE_CTX *sc)
{
	struct tls *t = connection_of(sc);

	if (!ok)
		t->reasons |= 1U << reason_of(X509_STORE_CTX_get_error(sc));
	return 1;
}

static time_t cert_end(const X509 *x)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) ? timegm(&tm) : 0;
}

static time_t chain_end(X509_STORE_CTX *sc)
{
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(sc);
	time_t end = 0;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		time_t one = cert_end(sk_X509_value(chain, i));

		if (!i || one < end)
			end = one;
	}
	return end;
}

/* The key of tls_ctx.chains. */
static int chain_key(X509_STORE_CTX *sc, const char *name, char key[static TLS_CHAIN_KEY_LEN])
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(sc);
	unsigned char sums[16][TLS_DIGEST_LEN], digest[TLS_DIGEST_LEN];
	int n = sk_X509_num(sent);

	if (n < 1 || n > (int)(sizeof(sums) / sizeof(sums[0])))
		return -E2BIG;
	for (int i = 0; i < n; i++)
		if (!X509_digest(sk_X509_value(sent, i), EVP_sha256(), sums[i], NULL))
			return -EIO;
	if (!EVP_Digest(sums, (size_t)n * TLS_DIGEST_LEN, digest, NULL, EVP_sha256(), NULL))
		return -EIO;
	tls_chain_key(digest, name, key);
	return 0;
}

static bool judge(struct tls *t, X509_STORE_CTX *sc)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(sc);
	int ok;

	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
	X509_VERIFY_PARAM_set_hostflags(
		param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	ok = tls_name_is_address(t->st.name) ? X509_VERIFY_PARAM_set1_ip_asc(param, t->st.name)
					     : X509_VERIFY_PARAM_set1_host(param, t->st.name, 0);
	X509_STORE_CTX_set_verify_cb(sc, on_check);
	if ((ok != 1 || X509_verify_cert(sc) != 1) && !t->reasons)
		t->reasons = 1U << TLS_VERIFY_OTHER;
	t->st.verify = tls_verify_first(t->reasons);
	return t->st.verify == TLS_VERIFY_OK;
}

static int on_verify_chain(X509_STORE_CTX *sc, void *arg)
{
	struct tls_ctx *ctx = arg;
	struct tls *t = connection_of(sc);
	char key[TLS_CHAIN_KEY_LEN];
	bool has_key = ctx->chains.max && !chain_key(sc, t->st.name, key);

	t->st.chain_known = has_key && lru_find(&ctx->chains, key, time(NULL));
	t->st.verified = t->st.chain_known || judge(t, sc);
	if (t->st.verified && has_key && !t->st.chain_known)
		lru_set(&ctx->chains, key, ctx, tls_kept_until(time(NULL), chain_end(sc)));
	X509_STORE_CTX_set_error(sc, error_of(t->st.verify));
	return t->st.verified;
}

/* -- Kept sessions -- */

void tls_session_free(void *session)
{
	SSL_SESSION_free(session);
}

/* TLS 1.2: at the end of the handshake; 1.3: whenever a ticket comes. Takes the session if 1. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = SSL_get_app_data(ssl);
	const X509 *leaf = SSL_SESSION_get0_peer(session);
	time_t now = time(NULL);

	if (!leaf || SSL_get_verify_result(ssl) != X509_V_OK || !SSL_SESSION_is_resumable(session))
		return 0;
	lru_set(&t->ctx->sessions, t->st.name, session, tls_kept_until(now, cert_end(leaf)));
	return 1;
}

/* A session of TLS 1.3 is marked as used up by its use, but servers take tickets again, and many
 * connections to one site begin at once. */
static int offer_session(struct tls *t)
{
	SSL_SESSION *kept = lru_find(&t->ctx->sessions, t->st.name, time(NULL));
	SSL_SESSION *copy;
	int ok;

	if (!kept)
		return 0;
	if (SSL_SESSION_get_protocol_version(kept) < TLS1_3_VERSION)
		return SSL_set_session(t->ssl, kept) ? 0 : -ENOMEM;
	copy = SSL_SESSION_dup(kept);
	ok = copy && SSL_set_session(t->ssl, copy);
	SSL_SESSION_free(copy);
	return ok ? 0 : -ENOMEM;
}

int tls_client_prepare(struct tls *t)
{
	SSL_set_connect_state(t->ssl);
	if (!tls_name_is_address(t->st.name) && SSL_set_tlsext_host_name(t->ssl, t->st.name) != 1)
		return -EINVAL;
	return offer_session(t);
}

void tls_client_setup(struct tls_ctx *ctx)
{
	SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx->ssl, on_verify_chain, ctx);
	if (!ctx->sessions.max)
		return;
	SSL_CTX_set_session_cache_mode(
		ctx->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx->ssl, on_new_session);
}
