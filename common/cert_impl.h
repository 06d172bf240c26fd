/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of cert.h's implementation share. Nothing else includes it. */
#pragma once

#include <stdbool.h>
#include <time.h>

#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "common/cert.h"

#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

#define CERT_DAY_S    86400
#define CERT_DER_MAX  4096
#define CERT_PEM_MAX  8192
#define CERT_HOST_MAX 253
/* RFC 5280 A.1 */
#define CERT_COMMON_NAME_MAX 64
/* Bytes of a serial number. */
#define CERT_SERIAL_LEN 16

struct cert_ca {
	mbedtls_x509_crt crt;
	mbedtls_pk_context key;
	bool has_key;
	char pem[CERT_PEM_MAX];
};

/* What goes into one certificate. */
struct cert_template {
	const struct cert_ca *issuer; /* NULL: self-signed */
	mbedtls_pk_context *key;
	const char *common_name;
	const char *host;	 /* leaf: subjectAltName; NULL: a CA */
	const char *const *also; /* leaf: more of them */
	size_t n_also;
	int path_len;
	time_t not_before, not_after;
};

/* Signs; `der` receives the certificate at its end. Its length or -errno. */
int cert_build(const struct cert_template *t, unsigned char der[static CERT_DER_MAX]);
/* An EC P-256 key. 0 or -errno. */
int cert_make_key(mbedtls_pk_context *key);
/* Random, positive, and never shorter. 0 or -errno. */
int cert_make_serial(unsigned char serial[static CERT_SERIAL_LEN]);

/* A DNS name in lower case without a final dot, or an address. 0 or -EINVAL. */
int cert_host_normal(const char *host, char out[static CERT_HOST_MAX + 1]);
/* The common name of a host's leaf. Browsers read the alternative name only, and long names do not
 * fit. */
const char *cert_leaf_name(const char *host);
/* Fills in the ends of a leaf's life that are 0. */
void cert_leaf_validity(
	const struct cert_ca *issuer, time_t now, time_t *not_before, time_t *not_after);
bool cert_is_root(const struct cert_ca *ca);

/* Makes leaves, all with one key, as the TLS library in use wants them. */
struct cert_leaf_maker;
/* `issuer` must outlive it. 0 or -errno. */
int cert_leaf_maker_new(const struct cert_ca *issuer, struct cert_leaf_maker **out);
/* Wipes the key. NULL is allowed. */
void cert_leaf_maker_free(struct cert_leaf_maker *m);
/* `host` as by cert_host_normal. A reference for the caller. 0 or -errno. */
int cert_leaf_make(struct cert_leaf_maker *m, const char *host, time_t not_before, time_t not_after,
	struct tls_cert **out);
