/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The connection half of tls.h over mbedtls; contexts and certificates are in tls_mbedtls_ctx.c. */
#include "common/tls.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/error.h>

#include "common/tls_mbedtls.h"

/* A peer's handshake flight or a read of the stream fits many times. */
#define TLS_INPUT_MAX  (1024 * 1024)
#define TLS_OUTPUT_MAX (64 * 1024 * 1024)
/* Twice the tickets that a peer may send in a row. */
#define TICKETS_MAX 32

static int on_send(void *arg, const unsigned char *data, size_t len)
{
	struct tls *t = arg;

	if (buf_append(&t->out, data, len))
		return MBEDTLS_ERR_SSL_ALLOC_FAILED;
	return (int)len;
}

static int on_recv(void *arg, unsigned char *data, size_t len)
{
	struct tls *t = arg;
	size_t have = t->in.len - t->in_pos;

	if (!have)
		return t->in_eof ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
	if (len > have)
		len = have;
	memcpy(data, t->in.data + t->in_pos, len);
	t->in_pos += len;
	if (t->in_pos == t->in.len) {
		/* An idle connection keeps no input buffer. */
		buf_fini(&t->in);
		buf_init(&t->in, TLS_INPUT_MAX);
		t->in_pos = 0;
	}
	return (int)len;
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
	buf_init(&t->in, TLS_INPUT_MAX);
	buf_init(&t->out, TLS_OUTPUT_MAX);
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
	if (t->out.data)
		explicit_bzero(t->out.data, t->out.len);
	buf_fini(&t->in);
	buf_fini(&t->out);
	free(t->name);
	free(t->sni);
	tls_ctx_free(t->ctx);
	free(t);
}

int tls_feed(struct tls *t, const void *data, size_t len)
{
	if (!len) {
		t->in_eof = true;
		return 0;
	}
	if (t->in_pos) {
		buf_consume(&t->in, t->in_pos);
		t->in_pos = 0;
	}
	if (t->in.len + len > TLS_INPUT_MAX)
		return -EMSGSIZE;
	return buf_append(&t->in, data, len);
}

size_t tls_unread(const struct tls *t)
{
	return t->in.len - t->in_pos;
}

/* Turns a result of the library into ours, and remembers what it was. */
static int fail(struct tls *t, int ret)
{
	char text[96];

	if (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE)
		return -EAGAIN;
	if (t->err)
		return t->err;
	if (ret == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || t->verify != TLS_VERIFY_OK) {
		t->err = -EBADMSG;
		if (t->verify == TLS_VERIFY_OK)
			t->verify = TLS_VERIFY_OTHER;
		snprintf(t->error, sizeof(t->error), "%s", tls_verify_text(t->verify));
	} else if (ret == 0 || ret == MBEDTLS_ERR_SSL_CONN_EOF) {
		t->err = -ECONNRESET;
		snprintf(t->error, sizeof(t->error), "connection ended without close_notify");
	} else if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
		t->err = -ECONNABORTED;
		t->peer_alert = t->ssl.MBEDTLS_PRIVATE(in_msg)[1];
		snprintf(t->error, sizeof(t->error), "alert %u from the peer", t->peer_alert);
	} else if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
		t->err = -ECONNRESET;
		snprintf(t->error, sizeof(t->error), "closed during the handshake");
	} else {
		t->err = ret == MBEDTLS_ERR_SSL_ALLOC_FAILED ? -ENOMEM : -EPROTO;
		mbedtls_strerror(ret, text, sizeof(text));
		snprintf(t->error, sizeof(t->error), "%s (-0x%04x)", text, (unsigned)-ret);
	}
	return t->err;
}

int tls_handshake(struct tls *t)
{
	int ret;

	if (t->err)
		return t->err;
	if (t->done)
		return 0;
	if (t->ctx->is_server && !t->hello_seen) {
		if (!tls_unread(t) && !t->in_eof)
			return -EAGAIN;
		t->hello_seen = true;
		tls_server_prepare(t);
	}
	t->ctx->current = t;
	ret = mbedtls_ssl_handshake(&t->ssl);
	t->ctx->current = NULL;
	if (ret)
		return fail(t, ret);
	t->done = true;
	if (!t->ctx->is_server) {
		t->resumed = t->session_set && !t->verify_seen;
		/* With TLS 1.3 the ticket comes later, in tls_read. */
		if (!t->resumed && !strcmp(mbedtls_ssl_get_version(&t->ssl), "TLSv1.2"))
			tls_session_save(t);
	}
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

const void *tls_output(const struct tls *t, size_t *len)
{
	*len = t->out.len;
	return t->out.len ? t->out.data : NULL;
}

void tls_output_consume(struct tls *t, size_t len)
{
	if (len < t->out.len) {
		buf_consume(&t->out, len);
		return;
	}
	buf_fini(&t->out);
	buf_init(&t->out, TLS_OUTPUT_MAX);
}

void tls_get_info(const struct tls *t, struct tls_info *info)
{
	memset(info, 0, sizeof(*info));
	info->verify = t->verify;
	info->resumed = t->resumed;
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

const char *tls_verify_text(enum tls_verify v)
{
	switch (v) {
	case TLS_VERIFY_OK:
		return "certificate is valid";
	case TLS_VERIFY_SELF_SIGNED:
		return "certificate is self-signed";
	case TLS_VERIFY_UNTRUSTED:
		return "certificate is not signed by a trusted authority";
	case TLS_VERIFY_EXPIRED:
		return "certificate has expired";
	case TLS_VERIFY_NOT_YET:
		return "certificate is not valid yet";
	case TLS_VERIFY_WRONG_NAME:
		return "certificate is for another name";
	case TLS_VERIFY_WEAK:
		return "certificate uses a weak key or signature";
	case TLS_VERIFY_REVOKED:
		return "certificate has been revoked";
	case TLS_VERIFY_OTHER:
		break;
	}
	return "certificate cannot be accepted";
}
