/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Makes certificates: a root CA (10 years), an intermediate (90 days), leaves for a single host (at
 * most 47 days), all EC P-256 with SHA-256, with what browsers ask for: subjectAltName,
 * extendedKeyUsage, subject and authority key identifiers, random serial numbers (CA/Browser Forum
 * BR 7.1, RFC 5280).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/tls.h"

#define CERT_ROOT_DAYS	       3650
#define CERT_INTERMEDIATE_DAYS 90
#define CERT_LEAF_DAYS	       47
#define CERT_FINGERPRINT_LEN   32
#define CERT_ALSO_MAX	       7

/* A CA certificate; with its private key it can sign. */
struct cert_ca;

/* `name` becomes the common name. The validity starts an hour before `now`. 0 or -errno. */
int cert_make_root(const char *name, time_t now, struct cert_ca **out);
/* Signed by `root`, which must have its key; never outlives it. */
int cert_make_intermediate(
	const struct cert_ca *root, const char *name, time_t now, struct cert_ca **out);

/*
 * `key_file` may be NULL: the certificate alone (a root kept offline). -EINVAL: unreadable, no CA,
 * or the key is not the certificate's. A key file that others may read is refused with -EPERM.
 */
int cert_ca_load(const char *cert_file, const char *key_file, struct cert_ca **out);
/* Writes both (cert 0444, key 0400), each by rename; `key_file` NULL leaves the key out. */
int cert_ca_save(const struct cert_ca *ca, const char *cert_file, const char *key_file);
/* Wipes the key. NULL is allowed. */
void cert_ca_free(struct cert_ca *ca);

/* PEM text and DER of the certificate; they live as long as `ca`. */
const char *cert_ca_pem(const struct cert_ca *ca);
const uint8_t *cert_ca_der(const struct cert_ca *ca, size_t *len);
void cert_ca_fingerprint(const struct cert_ca *ca, uint8_t sha256[static CERT_FINGERPRINT_LEN]);
time_t cert_ca_not_after(const struct cert_ca *ca);

/* Is it a DNS name or an address, as a certificate can be for? */
bool cert_is_host(const char *host);

/* A leaf with a key of its own, for a server's own name (apid) and for tests. */
struct cert_spec {
	const char *host;	 /* DNS name, or IPv4/IPv6 address as text */
	const char *const *also; /* others that it is for, of the same form; cert_issue alone */
	size_t n_also;		 /* at most CERT_ALSO_MAX */
	time_t not_before;	 /* 0 = one day before now */
	time_t not_after;	 /* 0 = the longest allowed */
};
/* `issuer` NULL: self-signed. The PEM holds the leaf and, unless the issuer is a root, the issuer.
 * Both texts are the caller's to free; wipe the key. */
int cert_issue(const struct cert_ca *issuer, const struct cert_spec *spec, char **cert_pem,
	char **key_pem);

/* A key of one's own and a certificate for it from somebody else's CA. */
/* An EC P-256 key, both halves as PEM; the caller's to free; wipe the key. 0 or -errno. */
int cert_key_new(char **key_pem, char **public_pem);
/* A leaf for a public key (PEM, EC P-256): the PEM holds it and, unless the issuer is a root, the
 * issuer. -EINVAL: no such key, no such host. */
int cert_sign(const struct cert_ca *issuer, const struct cert_spec *spec, const char *public_pem,
	char **cert_pem);

/*
 * Mints leaves on demand, with one key for all, and keeps the last `max_leaves` used ones. Takes
 * `issuer` over (also on error). A leaf within a day of its end is made anew. None outlives the
 * process: to keep them would be to write their key, and where devices have been, to disk, to save
 * less than a millisecond on the first connection to a name after a start.
 */
struct cert_minter;
int cert_minter_new(struct cert_ca *issuer, size_t max_leaves, struct cert_minter **out);
void cert_minter_free(struct cert_minter *m);
/* The certificate for a host (DNS name or IP address); a reference for the caller, NULL when the
 * name is none or minting failed. 0.5 ms when it is new. Shaped for tls_select_cert's use. */
struct tls_cert *cert_minter_get(struct cert_minter *m, const char *host);
/* How many were made, and how many are kept. */
uint64_t cert_minter_made(const struct cert_minter *m);
size_t cert_minter_count(const struct cert_minter *m);
