/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the mbedtls backend share. Nothing else includes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "common/buf.h"
#include "common/hmap.h"
#include "common/list.h"
#include "common/tls.h"

#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

struct tls_cert {
	unsigned refs;
	mbedtls_x509_crt chain;
	mbedtls_pk_context key;
};

/* A verified session kept for the next connection to the same name. */
struct tls_kept_session {
	struct list node; /* tls_ctx.sessions_lru, oldest first */
	mbedtls_ssl_session session;
	time_t until;
	char name[]; /* key of tls_ctx.sessions */
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
	struct hmap sessions;
	struct list sessions_lru;
	size_t session_cache;
	/* The connection inside a call into the library: its callbacks know only the context. */
	struct tls *current;
};

struct tls {
	struct tls_ctx *ctx;
	mbedtls_ssl_context ssl;
	struct buf in;
	size_t in_pos;
	struct buf out;
	char *name;
	char *sni;
	void *conn_data;
	struct tls_cert *certs[2]; /* references held for the handshake */
	size_t n_certs;
	bool in_eof;	  /* the stream beneath ended */
	bool hello_seen;  /* server: the first bytes came */
	bool done;	  /* the handshake */
	bool eof;	  /* close_notify received */
	bool closed;	  /* close_notify sent */
	bool session_set; /* client: offered a session */
	bool verify_seen; /* client: a chain was verified, so that nothing was resumed */
	bool resumed;
	bool name_is_ip;
	uint8_t peer_alert;
	enum tls_verify verify;
	int err;
	char error[128];
};

/* Name, SNI, verification, and a kept session if there is one. */
int tls_client_prepare(struct tls *t);
/* Chooses the certificate for a client that sends no SNI. */
void tls_server_prepare(struct tls *t);
void tls_session_save(struct tls *t);
