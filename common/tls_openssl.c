/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The connection half of tls.h over OpenSSL; contexts are in tls_openssl_ctx.c. */
#include "common/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "common/tls_openssl.h"

/* -- The library's input and output -- */

static int on_bio_write(BIO *b, const char *data, int len)
{
	struct tls *t = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	return buf_append(&t->st.io.out, data, (size_t)len) ? -1 : len;
}

static int on_bio_read(BIO *b, char *data, int len)
{
	struct tls *t = BIO_get_data(b);
	size_t n = tls_io_read(&t->st.io, data, (size_t)len);

	BIO_clear_retry_flags(b);
	if (n || t->st.io.in_eof)
		return (int)n;
	BIO_set_retry_read(b);
	return -1;
}

static long on_bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	const struct tls *t = BIO_get_data(b);

	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_EOF)
		return t->st.io.in_eof && !tls_io_unread(&t->st.io);
	return cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_START | BIO_TYPE_SOURCE_SINK, "tls engine");

	if (m) {
		BIO_meth_set_write(m, on_bio_write);
		BIO_meth_set_read(m, on_bio_read);
		BIO_meth_set_ctrl(m, on_bio_ctrl);
	}
	return m;
}

/* -- Life -- */

static int setup(struct tls *t)
{
	BIO *b;

	t->ssl = SSL_new(t->ctx->ssl);
	if (!t->ssl || !SSL_set_app_data(t->ssl, t))
		return -ENOMEM;
	b = BIO_new(t->ctx->bio);
	if (!b)
		return -ENOMEM;
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	if (t->ctx->is_server)
		SSL_set_accept_state(t->ssl);
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
	/* An end without close_notify is no reason to forget the session (RFC 5246 7.2.1), which is
	 * what the library would do. */
	if (t->st.done && (!t->st.err || t->st.err == -ECONNRESET))
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	tls_state_fini(&t->st);
	free(t->alpn);
	tls_ctx_free(t->ctx);
	free(t);
}

/* -- Errors -- */

/* What a reason of the library says about both sides. */
static enum tls_gap gap_from_reason(int reason)
{
	switch (reason) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_UNSUPPORTED_SSL_VERSION:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_VERSION_TOO_HIGH:
		return TLS_GAP_VERSION;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
		return TLS_GAP_NOT_TLS;
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SHARED_GROUPS:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_UNKNOWN_CIPHER_RETURNED:
	case SSL_R_WRONG_CIPHER_RETURNED:
	case SSL_R_WRONG_CURVE:
	case SSL_R_WRONG_SIGNATURE_TYPE:
	case SSL_R_UNSUPPORTED_ELLIPTIC_CURVE:
	case SSL_R_DH_KEY_TOO_SMALL:
		return TLS_GAP_CIPHER;
	default:
		return TLS_GAP_NONE;
	}
}

/* Errors that are told by what they mean, before the handshake is done. 0: it is none of them. */
static int fail_shaking(struct tls *t, unsigned long error)
{
	int lib = ERR_GET_LIB(error);

	if (t->st.done)
		return 0;
	if (!t->ctx->is_server && t->st.verify == TLS_VERIFY_OK && !t->st.verified &&
		(lib == ERR_LIB_ASN1 || lib == ERR_LIB_X509))
		t->st.verify = TLS_VERIFY_OTHER;
	return tls_fail_named(&t->st, gap_from_reason(ERR_GET_REASON(error)), true);
}

/* Turns a result of the library into ours, and remembers what it was. */
static int fail(struct tls *t, int ret)
{
	int kind = SSL_get_error(t->ssl, ret);
	unsigned long error = ERR_peek_error();
	int reason = ERR_GET_REASON(error);
	const char *text;

	if (kind == SSL_ERROR_WANT_READ)
		return -EAGAIN;
	if (t->st.err)
		return t->st.err;
	if (kind == SSL_ERROR_ZERO_RETURN)
		return tls_fail(&t->st, -ECONNRESET, "closed during the handshake");
	if (!error || error == ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING))
		return tls_fail(&t->st, -ECONNRESET, "connection ended without close_notify");
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
		return tls_fail_alert(&t->st, (uint8_t)(reason - SSL_AD_REASON_OFFSET), true);
	if (fail_shaking(t, error))
		return t->st.err;
	text = ERR_reason_error_string(error);
	return tls_fail(&t->st, reason == ERR_R_MALLOC_FAILURE ? -ENOMEM : -EPROTO, "%s",
		text ? text : "protocol error");
}

/* -- Work -- */

/* The library's has no end of its own. */
static int keep_alpn(struct tls *t)
{
	const unsigned char *name;
	unsigned len;

	SSL_get0_alpn_selected(t->ssl, &name, &len);
	if (!len)
		return 0;
	t->alpn = strndup((const char *)name, len);
	return t->alpn ? 0 : tls_fail(&t->st, -ENOMEM, "no memory");
}

int tls_handshake(struct tls *t)
{
	int ret;

	if (t->st.err)
		return t->st.err;
	if (t->st.done)
		return 0;
	ERR_clear_error();
	ret = SSL_do_handshake(t->ssl);
	if (ret != 1)
		return fail(t, ret);
	if (!t->ctx->is_server && !t->st.verified &&
		(!SSL_session_reused(t->ssl) || SSL_get_verify_result(t->ssl) != X509_V_OK))
		return tls_fail_unverified(&t->st);
	t->st.done = true;
	return keep_alpn(t);
}

int tls_library_read(struct tls *t, void *buf, size_t len)
{
	int ret;

	ERR_clear_error();
	ret = SSL_read(t->ssl, buf, len > INT32_MAX ? INT32_MAX : (int)len);
	if (ret > 0)
		return ret;
	return SSL_get_error(t->ssl, ret) == SSL_ERROR_ZERO_RETURN ? 0 : fail(t, ret);
}

int tls_library_write(struct tls *t, const void *buf, size_t len)
{
	int ret;

	ERR_clear_error();
	ret = SSL_write(t->ssl, buf, len > INT32_MAX ? INT32_MAX : (int)len);
	return ret > 0 ? ret : fail(t, ret);
}

int tls_library_close(struct tls *t)
{
	int ret;

	ERR_clear_error();
	ret = SSL_shutdown(t->ssl);
	return ret < 0 ? fail(t, ret) : 0;
}

void tls_get_info(const struct tls *t, struct tls_info *info)
{
	tls_state_info(&t->st, info);
	if (t->st.done) {
		info->resumed = SSL_session_reused(t->ssl);
		info->version = SSL_get_version(t->ssl);
		info->cipher = SSL_get_cipher_name(t->ssl);
		info->alpn = t->alpn;
	}
}
