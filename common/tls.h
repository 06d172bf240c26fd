/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TLS as an engine in memory: no sockets, no event loop, no types of the library beneath. The
 * caller moves ciphertext in (tls_feed) and out (tls_take_output), and plaintext in (tls_write) and
 * out (tls_read). common/stream.h puts it on a socket; few need more of this header than contexts
 * and verify reasons.
 *
 * Glossary: a context (tls_ctx) holds what many connections share; a `struct tls` is one
 * connection; a tls_cert is a certificate chain with its private key, ready for use.
 *
 * Two libraries can stand beneath (make TLS=mbedtls|openssl); callers see no difference but that
 * TLS 1.3 is there or not. Always: TLS 1.2 at least, no compression, no renegotiation, tickets
 * under keys that change every two hours.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/tls_cert.h"
#include "common/tls_reason.h"

struct tls;
struct tls_ctx;

/*
 * Chooses the certificate of a server connection. `sni` is the name asked for, or the default name
 * of tls_new (NULL without one). `conn_data` comes from tls_new. Returns a new reference (it is
 * dropped after the handshake) or NULL, which ends the handshake with an unrecognized_name alert.
 */
typedef struct tls_cert *(*tls_select_cert)(void *data, void *conn_data, const char *sni);

struct tls_config {
	bool is_server;
	/* Client: file of trusted CAs in PEM. NULL together with ca_pem NULL: nothing is trusted.
	 */
	const char *ca_file;
	/* Client: trusted CAs as PEM text, in addition. */
	const char *ca_pem;
	/* Client: sessions kept for resumption, by name, for an hour at most; 0 = none. Only
	 * verified ones are kept. */
	size_t session_cache;
	/* Client: chains remembered as verified for a name, for an hour at most and never past the
	 * end of a certificate in them; 0 = none. */
	size_t chain_cache;
	/* Server: this certificate (the context takes a reference of its own) ... */
	struct tls_cert *cert;
	/* ... or this choice. */
	tls_select_cert select_cert;
	void *select_data;
	/* ALPN names in order of preference, NULL-terminated, copied; NULL = no ALPN. */
	const char *const *alpn;
};

/* Reads what the configuration names. 0 or -errno (-ENOENT, -EINVAL, -ENOMEM ...). */
int tls_ctx_new(const struct tls_config *cfg, struct tls_ctx **out);
/* Drops the caller's reference; connections keep theirs. NULL is allowed. */
void tls_ctx_free(struct tls_ctx *ctx);

/*
 * One connection. Client: `name` is what the certificate must be for (DNS name or IP address) and,
 * when a DNS name, the SNI sent; required. Server: the name to use when the client sends no SNI, or
 * NULL.
 */
int tls_new(struct tls_ctx *ctx, const char *name, void *conn_data, struct tls **out);
void tls_free(struct tls *t);

/* Ciphertext from the peer; takes the malloc'ed `data` over, also on error. NULL and 0 say that the
 * peer's stream ended. 0, -ENOMEM, -EMSGSIZE. */
int tls_feed(struct tls *t, void *data, size_t len);
/* What is to be sent, the caller's to free; NULL and 0 when there is nothing. */
void *tls_take_output(struct tls *t, size_t *len);
/*
 * Goes on with the handshake. 0: done. -EAGAIN: send the output, then feed more. Else it failed:
 * -EBADMSG the peer's certificate (see tls_info.verify), -ECONNRESET the stream ended,
 * -ECONNABORTED an alert from the peer, -EPROTO anything else. There may be output (an alert) all
 * the same.
 */
int tls_handshake(struct tls *t);

/*
 * Plaintext. > 0 bytes; 0 the peer said close_notify; -EAGAIN feed more; -ECONNRESET the stream
 * ended without close_notify (truncated); other errors as above.
 */
int tls_read(struct tls *t, void *buf, size_t len);
/* Encrypts all of it into the output. 0 or -errno. */
int tls_write(struct tls *t, const void *buf, size_t len);
/* Puts close_notify into the output, once. */
int tls_close_notify(struct tls *t);

struct tls_info {
	enum tls_verify verify; /* client: of the peer's certificate */
	bool resumed;
	bool chain_known;    /* client: the same chain was verified for this name before */
	enum tls_gap gap;    /* why it failed, when one side lacks something */
	uint8_t peer_alert;  /* description of a fatal alert received, 0 = none (RFC 8446 6) */
	const char *version; /* "TLSv1.2", "TLSv1.3"; "" before it is known */
	const char *cipher;  /* "" before it is known */
	const char *alpn;    /* agreed, or NULL */
	const char *sni;     /* server: sent by the client, or NULL */
	const char *error;   /* what went wrong, for the log; "" = nothing */
};
/* Strings live as long as `t`. */
void tls_get_info(const struct tls *t, struct tls_info *info);
