/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Leaves for the mbedtls backend: nine tenths of the work is the signature. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cert_impl.h"
#include "common/tls_mbedtls.h"

struct cert_leaf_maker {
	const struct cert_ca *issuer;
	mbedtls_pk_context key;
	unsigned char key_der[256];
	struct tls_der key_view;
};

int cert_leaf_maker_new(const struct cert_ca *issuer, struct cert_leaf_maker **out)
{
	struct cert_leaf_maker *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return -ENOMEM;
	m->issuer = issuer;
	mbedtls_pk_init(&m->key);
	ret = cert_make_key(&m->key);
	/* Written at the end of the buffer, with the public half: parsing then need not compute it.
	 */
	if (!ret)
		ret = mbedtls_pk_write_key_der(&m->key, m->key_der, sizeof(m->key_der));
	if (ret < 0) {
		cert_leaf_maker_free(m);
		return -EIO;
	}
	m->key_view = (struct tls_der){ m->key_der + sizeof(m->key_der) - ret, (size_t)ret };
	*out = m;
	return 0;
}

void cert_leaf_maker_free(struct cert_leaf_maker *m)
{
	if (!m)
		return;
	mbedtls_pk_free(&m->key);
	explicit_bzero(m->key_der, sizeof(m->key_der));
	free(m);
}

int cert_leaf_make(struct cert_leaf_maker *m, const char *host, time_t not_before, time_t not_after,
	struct tls_cert **out)
{
	unsigned char der[CERT_DER_MAX];
	struct cert_template t = {
		.issuer = m->issuer,
		.key = &m->key,
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
	return tls_cert_new_der(chain, cert_is_root(m->issuer) ? 1 : 2, &m->key_view, out);
}
