/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/cert_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/pem.h>

#include "common/random.h"

int cert_key_new(char **key_pem, char **public_pem)
{
	unsigned char text[CERT_PEM_MAX];
	mbedtls_pk_context key;
	int err;

	*key_pem = *public_pem = NULL;
	mbedtls_pk_init(&key);
	err = cert_make_key(&key);
	if (!err && !mbedtls_pk_write_key_pem(&key, text, sizeof(text)))
		*key_pem = strdup((char *)text);
	if (*key_pem && !mbedtls_pk_write_pubkey_pem(&key, text, sizeof(text)))
		*public_pem = strdup((char *)text);
	explicit_bzero(text, sizeof(text));
	mbedtls_pk_free(&key);
	if (*public_pem)
		return 0;
	if (*key_pem)
		explicit_bzero(*key_pem, strlen(*key_pem));
	free(*key_pem);
	*key_pem = NULL;
	return err ? err : -EIO;
}

static int chain_pem(
	const struct cert_ca *issuer, const unsigned char *der, size_t len, char **cert_pem)
{
	char text[CERT_PEM_MAX];
	size_t n;

	if (mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
		    der, len, (unsigned char *)text, sizeof(text), &n))
		return -EINVAL;
	*cert_pem = malloc(n + sizeof(issuer->pem));
	if (!*cert_pem)
		return -ENOMEM;
	strcpy(*cert_pem, text);
	if (!cert_is_root(issuer))
		strcat(*cert_pem, issuer->pem);
	return 0;
}

int cert_sign(const struct cert_ca *issuer, const struct cert_spec *spec, const char *public_pem,
	char **cert_pem)
{
	unsigned char der[CERT_DER_MAX];
	char host[CERT_HOST_MAX + 1];
	mbedtls_pk_context key;
	struct cert_template t = {
		.issuer = issuer,
		.key = &key,
		.host = host,
		.not_before = spec->not_before,
		.not_after = spec->not_after,
	};
	int ret = -EINVAL;

	if (!issuer->has_key || cert_host_normal(spec->host, host))
		return -EINVAL;
	t.common_name = cert_leaf_name(host);
	cert_leaf_validity(issuer, time(NULL), &t.not_before, &t.not_after);
	mbedtls_pk_init(&key);
	if (!mbedtls_pk_parse_public_key(
		    &key, (const unsigned char *)public_pem, strlen(public_pem) + 1) &&
		mbedtls_pk_can_do(&key, MBEDTLS_PK_ECKEY) && mbedtls_pk_get_bitlen(&key) == 256)
		ret = cert_build(&t, der);
	if (ret > 0)
		ret = chain_pem(issuer, der + CERT_DER_MAX - ret, (size_t)ret, cert_pem);
	mbedtls_pk_free(&key);
	return ret;
}
