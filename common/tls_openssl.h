/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the OpenSSL backend share. Nothing else includes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/lru.h"
#include "common/tls.h"
#include "common/tls_impl.h"

struct tls_cert {
	unsigned refs;
	X509 *leaf;
	STACK_OF(X509) * above;
	EVP_PKEY *key;
};

/* Tickets are made under the first; the second is the one before. */
struct tls_ticket_key {
	unsigned char name[16];
	unsigned char cipher_key[32];
	unsigned char mac_key[32];
	time_t made; /* 0: there is none */
};

struct tls_ctx {
	unsigned refs;
	bool is_server;
	SSL_CTX *ssl;
	BIO_METHOD *bio; /* of its connections */
	EVP_CIPHER *ticket_cipher;
	struct tls_ticket_key ticket_keys[2];
	unsigned char *alpn; /* as on the wire (RFC 7301 3.1) */
	size_t alpn_len;
	tls_select_cert select_cert;
	void *select_data;
	struct lru sessions; /* SSL_SESSION by name */
	struct lru chains;   /* verified ones, by tls_chain_key; the values say nothing */
};

struct tls {
	struct tls_state st;
	struct tls_ctx *ctx;
	SSL *ssl;
	char *alpn;
	uint32_t reasons; /* bits 1 << enum tls_verify */
};

/* Name and SNI, and a kept session if there is one. 0 or -errno. */
int tls_client_prepare(struct tls *t);
/* The callbacks by which a client's context verifies chains and keeps sessions. */
void tls_client_setup(struct tls_ctx *ctx);
/* Frees a session of tls_ctx.sessions. */
void tls_session_free(void *session);
/* Tickets to clients. 0 or -errno. */
int tls_ticket_setup(struct tls_ctx *ctx);
/* The ends of the bytes in memory, as the library wants them. NULL without memory. */
BIO_METHOD *tls_bio_method(void);
/* A certificate of objects, to which it takes references; `above` may be NULL. 0 or -ENOMEM. */
int tls_cert_from(X509 *leaf, X509 *above, EVP_PKEY *key, struct tls_cert **out);
/* Shows this certificate. 0 or -errno. */
int tls_cert_use(SSL *ssl, const struct tls_cert *cert);
