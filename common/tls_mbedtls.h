/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the mbedtls backend share. Nothing else includes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "common/buf.h"
#include "common/lru.h"
#include "common/tls.h"
#include "common/tls_impl.h"

#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif
#define TLS_HAS_13 (MBEDTLS_VERSION_MAJOR >= 3)

/* A private key that several certificates may have. The library keeps what it once computed for a
 * key with it, so that all but the first signature take half the time. */
struct tls_key {
	unsigned refs;
	mbedtls_pk_context pk;
};

struct tls_cert {
	unsigned refs;
	mbedtls_x509_crt chain;
	struct tls_key *key;
};

struct tls_ctx {
	unsigned refs;
	bool is_server;
	mbedtls_ssl_config conf;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context rng;
	mbedtls_x509_crt cas;
	mbedtls_ssl_ticket_context ticket;
	char **alpn;
	struct tls_cert *cert;
	tls_select_cert select_cert;
	void *select_data;
	struct lru sessions; /* mbedtls_ssl_session by name */
	struct lru chains;   /* verified ones, by tls_chain_key; the values say nothing */
	/* The connection inside a call into the library: its callbacks know only the context. */
	struct tls *current;
};

struct tls {
	struct tls_state st;
	struct tls_ctx *ctx;
	mbedtls_ssl_context ssl;
	struct tls_cert *certs[2]; /* references held for the handshake */
	size_t n_certs;
	bool hello_seen;  /* server: the first bytes came */
	bool session_set; /* client: offered a session */
	bool resumed;
};

/* Without a key yet, one reference for the caller; NULL without memory. */
struct tls_key *tls_key_new(void);
/* Drops a reference; the last wipes the key. NULL is allowed. */
void tls_key_free(struct tls_key *key);

/* As tls_cert_new, from DER: `chain` holds `n` certificates, leaf first. Takes a reference of its
 * own to `key`. */
struct tls_der {
	const uint8_t *data;
	size_t len;
};
int tls_cert_new_der(
	const struct tls_der *chain, size_t n, struct tls_key *key, struct tls_cert **out);

/* Name and SNI, and a kept session if there is one. 0 or -errno. */
int tls_client_prepare(struct tls *t);
/* Chooses the certificate for a client that sends no SNI. */
void tls_server_prepare(struct tls *t);
void tls_session_save(struct tls *t);
/* Frees a session of tls_ctx.sessions. */
void tls_session_free(void *session);
/* Judges the certificates that the server has just shown; sets t->verify. Is all in order? */
bool tls_verify_peer(struct tls *t);
/* What an error of the library while it parsed them means. TLS_VERIFY_OK: it is about no
 * certificate. */
enum tls_verify tls_verify_from_error(int ret);
