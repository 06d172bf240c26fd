/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The connection half of tls.h over mbedtls; contexts are in tls_mbedtls_ctx.c. */
#include "common/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/error.h>

#include "common/tls_hello.h"
#include "common/tls_mbedtls.h"

/* Twice the tickets that a peer may send in a row. */
#define TICKETS_MAX 32

static int on_send(void *arg, const unsigned char *data, size_t len)
{
	struct tls *t = arg;

	if (buf_append(&t->st.io.out, data, len))
		return MBEDTLS_ERR_SSL_ALLOC_FAILED;
	return (int)len;
}

static int on_recv(void *arg, unsigned char *data, size_t len)
{
	struct tls *t = arg;
	size_t n = tls_io_read(&t->st.io, data, len);

	if (n || t->st.io.in_eof)
		return (int)n;
	return MBEDTLS_ERR_SSL_WANT_READ;
}

static int setup(struct tls *t)
{
	if (mbedtls_ssl_setup(&t->ssl, &t->ctx->conf))
		return -ENOMEM;
	mbedtls_ssl_set_bio(&t->ssl, t, on_send, on_recv, NULL);
	return t->ctx->is_server ? 0 : tls_client_prepare(t);
}

int tls_new(struct tls_ctx *ctx, const char *name, void *conn_data, struct tls **out)
{
	struct tls *t = ctx->is_server || name ? calloc(1, sizeof(*t)) : NULL;
	int err;

	if (!t)
		return ctx->is_server || name ? -ENOMEM : -EINVAL;
	t->ctx = ctx;
	ctx->refs++;
	mbedtls_ssl_init(&t->ssl);
	err = tls_state_init(&t->st, name, conn_data);
	if (!err)
		err = setup(t);
	if (err)
		tls_free(t);
	else
		*out = t;
	return err;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	mbedtls_ssl_free(&t->ssl);
	for (size_t i = 0; i < t->n_certs; i++)
		tls_cert_free(t->certs[i]);
	tls_state_fini(&t->st);
	tls_ctx_free(t->ctx);
	free(t);
}

/* What an error of the library's handshake says about both sides. */
static enum tls_gap gap_from_error(const struct tls *t, int ret)
{
	switch (ret) {
#if MBEDTLS_VERSION_MAJOR >= 3
	case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
		return TLS_GAP_VERSION;
	case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
#else
	case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION:
		return TLS_GAP_VERSION;
	case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN:
	case MBEDTLS_ERR_SSL_NO_USABLE_CIPHERSUITE:
#endif
	case MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE:
		return TLS_GAP_CIPHER;
	case MBEDTLS_ERR_SSL_INVALID_RECORD:
		return t->ssl.MBEDTLS_PRIVATE(state) <= MBEDTLS_SSL_SERVER_HELLO ? TLS_GAP_NOT_TLS
										 : TLS_GAP_NONE;
	default:
		return TLS_GAP_NONE;
	}
}

/* A client of TLS 1.3 that refuses our certificate may say so before it has switched to its keys
 * (OpenSSL's do); the library takes that record for a broken one. The description of the fatal
 * alert in it, 0 = it is none. */
static uint8_t bare_alert(const struct tls *t, int ret)
{
	bool is_broken =
		ret == MBEDTLS_ERR_SSL_INVALID_MAC || ret == MBEDTLS_ERR_SSL_INVALID_RECORD;

	if (!TLS_HAS_13 || !t->ctx->is_server || !is_broken)
		return 0;
	const unsigned char *record = t->ssl.MBEDTLS_PRIVATE(in_hdr);
	bool is_fatal = record && record[0] == MBEDTLS_SSL_MSG_ALERT && record[3] == 0 &&
			record[4] == 2 && record[5] == MBEDTLS_SSL_ALERT_LEVEL_FATAL;
	return is_fatal ? record[6] : 0;
}

/* Errors that are told by what they mean, before the handshake is done. 0: it is none of them. */
static int fail_shaking(struct tls *t, int ret)
{
	if (t->st.done)
		return 0;
	if (bare_alert(t, ret))
		return tls_fail_alert(&t->st, bare_alert(t, ret), TLS_HAS_13);
	if (!t->ctx->is_server && t->st.verify == TLS_VERIFY_OK)
		t->st.verify = tls_verify_from_error(ret);
	if (t->st.verify == TLS_VERIFY_OK && ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		return tls_fail(&t->st, -ECONNRESET, "closed during the handshake");
	return tls_fail_named(&t->st, gap_from_error(t, ret), TLS_HAS_13);
}

/* Turns a result of the library into ours, and remembers what it was. */
static int fail(struct tls *t, int ret)
{
	char text[96];

	if (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE)
		return -EAGAIN;
	if (t->st.err)
		return t->st.err;
	if (fail_shaking(t, ret))
		return t->st.err;
	if (ret == 0 || ret == MBEDTLS_ERR_SSL_CONN_EOF)
		return tls_fail(&t->st, -ECONNRESET, "connection ended without close_notify");
	if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
		return tls_fail_alert(&t->st, t->ssl.MBEDTLS_PRIVATE(in_msg)[1], TLS_HAS_13);
	mbedtls_strerror(ret, text, sizeof(text));
	return tls_fail(&t->st, ret == MBEDTLS_ERR_SSL_ALLOC_FAILED ? -ENOMEM : -EPROTO,
		"%s (-0x%04x)", text, (unsigned)-ret);
}

/* RFC 5246 7.2.2 */
static unsigned char refusal_alert(enum tls_verify why)
{
	switch (why) {
	case TLS_VERIFY_SELF_SIGNED:
	case TLS_VERIFY_UNTRUSTED:
	case TLS_VERIFY_INCOMPLETE:
		return MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA;
	case TLS_VERIFY_EXPIRED:
		return MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED;
	case TLS_VERIFY_USAGE:
	case TLS_VERIFY_UNSUPPORTED:
		return MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT;
	case TLS_VERIFY_OK:
	case TLS_VERIFY_WEAK_SIGNATURE:
	case TLS_VERIFY_WEAK_KEY:
	case TLS_VERIFY_NOT_YET:
	case TLS_VERIFY_WRONG_NAME:
	case TLS_VERIFY_CONSTRAINED:
	case TLS_VERIFY_OTHER:
		break;
	}
	return MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
}

/* The library's handshake, with our verification in it. */
static int step_handshake(struct tls *t)
{
	int ret = 0;

	while (!ret && t->ssl.MBEDTLS_PRIVATE(state) != MBEDTLS_SSL_HANDSHAKE_OVER) {
		bool at_certificate =
			t->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_SERVER_CERTIFICATE;

		ret = mbedtls_ssl_handshake_step(&t->ssl);
		if (ret || t->ctx->is_server || !at_certificate ||
			t->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_SERVER_CERTIFICATE)
			continue;
		t->st.verified = tls_verify_peer(t);
		if (!t->st.verified) {
			mbedtls_ssl_send_alert_message(&t->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
				refusal_alert(t->st.verify));
			ret = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
		}
	}
	return ret;
}

int tls_handshake(struct tls *t)
{
	int ret;

	if (t->st.err)
		return t->st.err;
	if (t->st.done)
		return 0;
	if (t->ctx->is_server && !t->hello_seen) {
		ret = t->st.io.in_eof ? 0 : tls_hello_join(t->st.io.in, &t->st.io.in_len);
		if (ret)
			return ret;
		t->hello_seen = true;
		tls_server_prepare(t);
	}
	t->ctx->current = t;
	ret = step_handshake(t);
	t->ctx->current = NULL;
	if (ret)
		return fail(t, ret);
	if (!t->ctx->is_server) {
		t->resumed = t->session_set && !t->st.verified;
		if (!t->resumed && !t->st.verified)
			return tls_fail_unverified(&t->st);
		/* With TLS 1.3 the ticket comes later, in tls_read. */
		if (!t->resumed && !strcmp(mbedtls_ssl_get_version(&t->ssl), "TLSv1.2"))
			tls_session_save(t);
	}
	t->st.done = true;
	return 0;
}

/* One read of the library; with TLS 1.3 past the tickets that come in between. */
static int read_once(struct tls *t, void *buf, size_t len)
{
	int ret;

	t->ctx->current = t;
	ret = mbedtls_ssl_read(&t->ssl, buf, len);
#if MBEDTLS_VERSION_MAJOR >= 3
	/* A ticket takes two calls, of which the first asks for more. */
	for (int i = 0; i < TICKETS_MAX; i++) {
		if (ret == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
			tls_session_save(t);
		else if (ret != MBEDTLS_ERR_SSL_WANT_READ ||
			 t->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_HANDSHAKE_OVER)
			break;
		ret = mbedtls_ssl_read(&t->ssl, buf, len);
	}
	if (ret == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
		ret = MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE;
#endif
	t->ctx->current = NULL;
	return ret;
}

int tls_library_read(struct tls *t, void *buf, size_t len)
{
	int ret = read_once(t, buf, len);

	if (ret > 0)
		return ret;
	return ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : fail(t, ret);
}

int tls_library_write(struct tls *t, const void *buf, size_t len)
{
	int ret = mbedtls_ssl_write(&t->ssl, buf, len);

	if (ret > 0)
		return ret;
	return fail(t, ret ? ret : MBEDTLS_ERR_SSL_INTERNAL_ERROR);
}

int tls_library_close(struct tls *t)
{
	int ret = mbedtls_ssl_close_notify(&t->ssl);

	return ret ? fail(t, ret) : 0;
}

void tls_get_info(const struct tls *t, struct tls_info *info)
{
	tls_state_info(&t->st, info);
	info->resumed = t->resumed;
	if (t->st.done) {
		const char *cipher = mbedtls_ssl_get_ciphersuite(&t->ssl);

		info->version = mbedtls_ssl_get_version(&t->ssl);
		info->cipher = cipher ? cipher : "";
		info->alpn = mbedtls_ssl_get_alpn_protocol(&t->ssl);
	}
}
