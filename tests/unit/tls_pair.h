/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A client and a server of TLS in memory, with a clock that can be set. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "common/cert.h"
#include "common/tls.h"

/* Seconds that the clock of this process is set forth, libraries included. */
extern time_t clock_offset;
/* More for the server's side, in shake. */
extern time_t server_offset;

struct tls_ctx *server_ctx(
	const struct cert_ca *issuer, const struct cert_spec *spec, const char *const *alpn);
/* Trusts `ca`, or nothing; keeps four sessions and chains. */
struct tls_ctx *client_ctx(const struct cert_ca *ca, const char *const *alpn);
struct cert_ca *root(void);

/* tls_feed for bytes that stay the caller's. */
int feed(struct tls *t, const void *data, size_t len);
/* Moves what one has to send to the other, all at once. */
bool move(struct tls *from, struct tls *to);
struct tls_info info_of(const struct tls *t);

struct pair {
	struct tls *c, *s;
	int c_err, s_err;
};

/* The handshake, with what is sent cut into pieces of so many bytes; 0: not cut. */
void shake(struct pair *p, size_t piece);
void open_pair(
	struct pair *p, struct tls_ctx *c, struct tls_ctx *s, const char *name, size_t piece);
void close_pair(struct pair *p);

/* One server for h.example and one client of it. */
struct site {
	struct cert_ca *ca;
	struct tls_ctx *s, *c;
};

/* `not_after` of the server's certificate; 0 = the longest. The clock is right again. */
void open_site(struct site *site, time_t not_after);
void close_site(struct site *site);
