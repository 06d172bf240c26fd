/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A certificate chain with its private key, as a TLS server shows it; counted references. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tls_cert;

/* `pem`: leaf first, then what is above it. `key_pem`: its private key. One reference for the
 * caller. 0, -EINVAL (unreadable, or the key is not the leaf's), -ENOMEM. */
int tls_cert_new(const char *pem, const char *key_pem, struct tls_cert **out);
struct tls_cert *tls_cert_ref(struct tls_cert *cert);
/* Drops a reference; the last wipes the key. NULL is allowed. */
void tls_cert_free(struct tls_cert *cert);
