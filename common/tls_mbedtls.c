/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The connection half of tls.h over mbedtls; contexts are in tls_mbedtls_ctx.c. */
#include "common/tls.h"

#include <errno.h>
#include <stdarg.h>
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

	if (buf_append(&t->io.out, data, len))
		return MBEDTLS_ERR_SSL_ALLOC_FAILED;
	return (int)len;
}

static int on_recv(void *arg, unsigned char *data, size_t len)
{
	struct tls *t = arg;
	size_t n = tls_io_read(&t->io, data, len);

	if (n || t->io.in_eof)
		return (int)n;
	return MBEDTLS_ERR_SSL_WANT_READ;
}

int tls_new(struct tls_ctx *ctx, const char *name, void *conn_data, struct tls **out)
{
	struct tls *t;
	int err;

	if (!ctx->is_server && !name)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->ctx = ctx;
	ctx->refs++;
	t->conn_data = conn_data;
	mbedtls_ssl_init(&t->ssl);
	tls_io_init(&t->io);
	if (name) {
		t->name = strdup(name);
		if (!t->name) {
			err = -ENOMEM;
			goto fail;
		}
	}
	if (mbedtls_ssl_setup(&t->ssl, &ctx->conf)) {
		err = -ENOMEM;
		goto fail;
	}
	mbedtls_ssl_set_bio(&t->ssl, t, on_send, on_recv, NULL);
	if (!ctx->is_server) {
		err = tls_client_prepare(t);
		if (err)
			goto fail;
	}
	*out = t;
	return 0;
fail:
	tls_free(t);
	return err;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	mbedtls_ssl_free(&t->ssl);
	for (size_t i = 0; i < t->n_certs; i++)
		tls_cert_free(t->certs[i]);
	tls_io_fini(&t->io);
	free(t->name);
	free(t->sni);
	tls_ctx_free(t->ctx);
	free(t);
}

int tls_feed(struct tls *t, void *data, size_t len)
{
	return tls_io_feed(&t->io, data, len);
}

void *tls_take_output(struct tls *t, size_t *len)
{
	return tls_io_take_output(&t->io, len);
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

static int fail_with(struct tls *t, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail_with(struct tls *t, int err, const char *fmt, ...)
{
	va_list ap;

	t->err = err;
	va_start(ap, fmt);
	vsnprintf(t->error, sizeof(t->error), fmt, ap);
	va_end(ap);
	return err;
}

/* Errors that are told by what they mean, before the handshake is done. 0: it is none of them. */
static int fail_shaking(struct tls *t, int ret)
{
	if (t->done)
		return 0;
	if (!t->ctx->is_server && t->verify == TLS_VERIFY_OK)
		t->verify = tls_verify_from_error(ret);
	if (t->verify != TLS_VERIFY_OK)
		return fail_with(t, -EBADMSG, "%s", tls_verify_text(t->verify));
	if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		return fail_with(t, -ECONNRESET, "closed during the handshake");
	t->gap = gap_from_error(t, ret);
	return t->gap ? fail_with(t, -EPROTO, "%s", tls_gap_text(t->gap, TLS_HAS_13)) : 0;
}

static int fail_alert(struct tls *t)
{
	t->peer_alert = t->ssl.MBEDTLS_PRIVATE(in_msg)[1];
	if (!t->done)
		t->gap = tls_gap_from_alert(t->peer_alert);
	return fail_with(t, -ECONNABORTED, "alert %u from the peer%s%s", t->peer_alert,
		t->gap ? ": " : "", tls_gap_text(t->gap, TLS_HAS_13));
}

/* Turns a result of the library into ours, and remembers what it was. */
static int fail(struct tls *t, int ret)
{
	char text[96];

	if (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE)
		return -EAGAIN;
	if (t->err)
		return t->err;
	if (fail_shaking(t, ret))
		return t->err;
	if (ret == 0 || ret == MBEDTLS_ERR_SSL_CONN_EOF)
		return fail_with(t, -ECONNRESET, "connection ended without close_notify");
	if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
		return fail_alert(t);
	mbedtls_strerror(ret, text, sizeof(text));
	return fail_with(t, ret == MBEDTLS_ERR_SSL_ALLOC_FAILED ? -ENOMEM : -EPROTO, "%s (-0x%04x)",
		text, (unsigned)-ret);
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
		t->verified = tls_verify_peer(t);
		if (!t->verified) {
			mbedtls_ssl_send_alert_message(
				&t->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, refusal_alert(t->verify));
			ret = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED;
		}
	}
	return ret;
}

int tls_handshake(struct tls *t)
{
	int ret;

	if (t->err)
		return t->err;
	if (t->done)
		return 0;
	if (t->ctx->is_server && !t->hello_seen) {
		ret = t->io.in_eof ? 0 : tls_hello_join(t->io.in, &t->io.in_len);
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
		t->resumed = t->session_set && !t->verified;
		if (!t->resumed && !t->verified) {
			t->verify = TLS_VERIFY_OTHER;
			return fail(t, MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
		}
		/* With TLS 1.3 the ticket comes later, in tls_read. */
		if (!t->resumed && !strcmp(mbedtls_ssl_get_version(&t->ssl), "TLSv1.2"))
			tls_session_save(t);
	}
	t->done = true;
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

int tls_read(struct tls *t, void *buf, size_t len)
{
	int ret;

	if (t->err)
		return t->err;
	if (t->eof)
		return 0;
	ret = read_once(t, buf, len);
	if (ret > 0)
		return ret;
	if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
		t->eof = true;
		return 0;
	}
	return fail(t, ret);
}

int tls_write(struct tls *t, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	if (t->err)
		return t->err;
	if (t->closed)
		return -EPIPE;
	if (tls_io_reserve(&t->io, len))
		return fail(t, MBEDTLS_ERR_SSL_ALLOC_FAILED);
	while (len) {
		int ret = mbedtls_ssl_write(&t->ssl, p, len);

		if (ret <= 0)
			return fail(t, ret ? ret : MBEDTLS_ERR_SSL_INTERNAL_ERROR);
		p += ret;
		len -= (size_t)ret;
	}
	return 0;
}

int tls_close_notify(struct tls *t)
{
	int ret;

	if (t->closed || t->err || !t->done)
		return 0;
	t->closed = true;
	ret = mbedtls_ssl_close_notify(&t->ssl);
	return ret ? fail(t, ret) : 0;
}

void tls_get_info(const struct tls *t, struct tls_info *info)
{
	memset(info, 0, sizeof(*info));
	info->verify = t->verify;
	info->resumed = t->resumed;
	info->chain_known = t->chain_known;
	info->gap = t->gap;
	info->peer_alert = t->peer_alert;
	info->version = info->cipher = "";
	info->error = t->error;
	info->sni = t->sni;
	if (t->done) {
		const char *cipher = mbedtls_ssl_get_ciphersuite(&t->ssl);

		info->version = mbedtls_ssl_get_version(&t->ssl);
		info->cipher = cipher ? cipher : "";
		info->alpn = mbedtls_ssl_get_alpn_protocol(&t->ssl);
	}
}
