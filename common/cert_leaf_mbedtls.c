/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Leaves for the mbedtls backend: nine tenths of the work is the signature. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cert_impl.h"
#include "common/tls_mbedtls.h"

struct cert_leaf_maker {
	const struct cert_ca *issuer;
	struct tls_key *key;
};

int cert_leaf_maker_new(const struct cert_ca *issuer, struct cert_leaf_maker **out)
{
	struct cert_leaf_maker *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->issuer = issuer;
	m->key = tls_key_new();
	err = m->key ? cert_make_key(&m->key->pk) : -ENOMEM;
	if (err) {
		cert_leaf_maker_free(m);
		return err;
	}
	*out = m;
	return 0;
}

void cert_leaf_maker_free(struct cert_leaf_maker *m)
{
	if (!m)
		return;
	tls_key_free(m->key);
	free(m);
}

int cert_leaf_make(struct cert_leaf_maker *m, const char *host, time_t not_before, time_t not_after,
	struct tls_cert **out)
{
	unsigned char der[CERT_DER_MAX];
	struct cert_template t = {
		.issuer = m->issuer,
		.key = &m->key->pk,
		.host = host,
		.common_name = cert_leaf_name(host),
		.not_before = not_before,
		.not_after = not_after,
	};
	struct tls_der chain[2];
	int ret = cert_build(&t, der);

	if (ret < 0)
		return ret;
	chain[0] = (struct tls_der){ der + CERT_DER_MAX - ret, (size_t)ret };
	chain[1].data = cert_ca_der(m->issuer, &chain[1].len);
	return tls_cert_new_der(chain, cert_is_root(m->issuer) ? 1 : 2, m->key, out);
}
