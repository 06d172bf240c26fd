/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_cert.h over mbedtls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "common/tls_mbedtls.h"

struct tls_key *tls_key_new(void)
{
	struct tls_key *key = calloc(1, sizeof(*key));

	if (!key)
		return NULL;
	key->refs = 1;
	mbedtls_pk_init(&key->pk);
	return key;
}

void tls_key_free(struct tls_key *key)
{
	if (!key || --key->refs)
		return;
	mbedtls_pk_free(&key->pk);
	free(key);
}

/* Takes the reference to the key over. */
static struct tls_cert *cert_alloc(struct tls_key *key)
{
	struct tls_cert *c = key ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		tls_key_free(key);
		return NULL;
	}
	c->refs = 1;
	c->key = key;
	mbedtls_x509_crt_init(&c->chain);
	return c;
}

static int key_parse(mbedtls_pk_context *key, const unsigned char *data, size_t len)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_parse_key(key, data, len, NULL, 0, random_bytes, NULL);
#else
	return mbedtls_pk_parse_key(key, data, len, NULL, 0);
#endif
}

int tls_cert_new(const char *pem, const char *key_pem, struct tls_cert **out)
{
	struct tls_cert *c = cert_alloc(tls_key_new());

	if (!c)
		return -ENOMEM;
	if (mbedtls_x509_crt_parse(&c->chain, (const unsigned char *)pem, strlen(pem) + 1) ||
		key_parse(&c->key->pk, (const unsigned char *)key_pem, strlen(key_pem) + 1) ||
#if MBEDTLS_VERSION_MAJOR >= 3
		mbedtls_pk_check_pair(&c->chain.pk, &c->key->pk, random_bytes, NULL)) {
#else
		mbedtls_pk_check_pair(&c->chain.pk, &c->key->pk)) {
#endif
		tls_cert_free(c);
		return -EINVAL;
	}
	*out = c;
	return 0;
}

int tls_cert_new_der(
	const struct tls_der *chain, size_t n, struct tls_key *key, struct tls_cert **out)
{
	struct tls_cert *c;
	int err = n ? 0 : -EINVAL;

	key->refs++;
	c = cert_alloc(key);
	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < n && !err; i++)
		if (mbedtls_x509_crt_parse_der(&c->chain, chain[i].data, chain[i].len))
			err = -EINVAL;
	if (err)
		tls_cert_free(c);
	else
		*out = c;
	return err;
}

struct tls_cert *tls_cert_ref(struct tls_cert *cert)
{
	cert->refs++;
	return cert;
}

void tls_cert_free(struct tls_cert *cert)
{
	if (!cert || --cert->refs)
		return;
	mbedtls_x509_crt_free(&cert->chain);
	tls_key_free(cert->key);
	free(cert);
}
