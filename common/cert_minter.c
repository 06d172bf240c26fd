/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The minter of cert.h: leaves by host, made when they are asked for. */
#include <errno.h>
#include <stdlib.h>

#include "common/cert_impl.h"
#include "common/lru.h"

struct cert_minter {
	struct cert_ca *issuer;
	struct cert_leaf_maker *maker;
	struct lru leaves; /* struct tls_cert by host */
	uint64_t made;
};

static void on_free_leaf(void *value)
{
	tls_cert_free(value);
}

int cert_minter_new(struct cert_ca *issuer, size_t max_leaves, struct cert_minter **out)
{
	struct cert_minter *m = calloc(1, sizeof(*m));
	int err;

	if (!m) {
		cert_ca_free(issuer);
		return -ENOMEM;
	}
	m->issuer = issuer;
	lru_init(&m->leaves, max_leaves ? max_leaves : 1, on_free_leaf);
	err = issuer->has_key ? cert_leaf_maker_new(issuer, &m->maker) : -EINVAL;
	if (err) {
		cert_minter_free(m);
		return err;
	}
	*out = m;
	return 0;
}

void cert_minter_free(struct cert_minter *m)
{
	if (!m)
		return;
	lru_fini(&m->leaves);
	cert_leaf_maker_free(m->maker);
	cert_ca_free(m->issuer);
	free(m);
}

static struct tls_cert *mint(struct cert_minter *m, const char *host, time_t now)
{
	time_t not_before = 0, not_after = 0;
	struct tls_cert *cert = NULL;

	cert_leaf_validity(m->issuer, now, &not_before, &not_after);
	if (cert_leaf_make(m->maker, host, not_before, not_after, &cert))
		return NULL;
	m->made++;
	tls_cert_ref(cert);
	/* If it cannot be kept it is good for this once. */
	lru_set(&m->leaves, host, cert, not_after - CERT_DAY_S);
	return cert;
}

struct tls_cert *cert_minter_get(struct cert_minter *m, const char *name)
{
	char host[CERT_HOST_MAX + 1];
	time_t now = time(NULL);
	struct tls_cert *cert;

	if (cert_host_normal(name, host))
		return NULL;
	cert = lru_find(&m->leaves, host, now);
	return cert ? tls_cert_ref(cert) : mint(m, host, now);
}

uint64_t cert_minter_made(const struct cert_minter *m)
{
	return m->made;
}

size_t cert_minter_count(const struct cert_minter *m)
{
	return lru_count(&m->leaves);
}
