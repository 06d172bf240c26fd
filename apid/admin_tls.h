/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/cert.h"
#include "common/conf.h"

/*
 * TLS of the admin listener: with certificate and key from files (certbot's), or with leaves of a
 * CA of its own, which is made at the first start and is not that of the filtering proxy.
 */
struct admin_tls {
	struct tls_ctx *ctx;
	const char *dir;		  /* where admin-ca.pem and admin-ca.key lie */
	char *names[CERT_ALSO_MAX + 1];	  /* DNS names and addresses that the leaf is for */
	size_t n_names, n_own;		  /* n_own: those of the configuration, first */
	const char *cert_file, *key_file; /* NULL: the CA of its own */
};

/* The names: those that are configured, or the address where it listens. 0 or -errno, logged. */
int admin_tls_set_names(
	struct admin_tls *t, const struct conf_strings *hosts, const struct endpoint *at);
/* The name that devices reach the gateway by is one, too, unless it is none; NULL = unknown. Is
 * that a change? */
bool admin_tls_set_endpoint(struct admin_tls *t, const char *endpoint);

/* Makes ctx anew, from the strings given: at the start, before a leaf ends (CERT_LEAF_DAYS), and
 * when the files may have changed. The context before stays with its connections; without success
 * it stays in force. 0 or -errno, logged. */
int admin_tls_renew(struct admin_tls *t);
void admin_tls_close(struct admin_tls *t);
