/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_cert.h over OpenSSL. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/tls_openssl.h"

static struct tls_cert *cert_alloc(void)
{
	struct tls_cert *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->refs = 1;
	c->above = sk_X509_new_null();
	if (!c->above) {
		free(c);
		return NULL;
	}
	return c;
}

/* Takes the certificate over; the first is the leaf. */
static int add_cert(struct tls_cert *c, X509 *x)
{
	if (!c->leaf) {
		c->leaf = x;
		return 0;
	}
	if (sk_X509_push(c->above, x))
		return 0;
	X509_free(x);
	return -ENOMEM;
}

static int read_chain(struct tls_cert *c, const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x;
	int err = b ? 0 : -ENOMEM;

	while (!err && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)))
		err = add_cert(c, x);
	/* The end of the text is none of our errors, but what is broken is. */
	if (!err && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		err = -EINVAL;
	BIO_free(b);
	return err;
}

static EVP_PKEY *read_key(const char *pem)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;

	BIO_free(b);
	return key;
}

int tls_cert_new(const char *pem, const char *key_pem, struct tls_cert **out)
{
	struct tls_cert *c = cert_alloc();
	int err;

	if (!c)
		return -ENOMEM;
	ERR_clear_error();
	err = read_chain(c, pem);
	c->key = err ? NULL : read_key(key_pem);
	if (!err && (!c->leaf || !c->key || X509_check_private_key(c->leaf, c->key) != 1))
		err = -EINVAL;
	ERR_clear_error();
	if (err) {
		tls_cert_free(c);
		return err;
	}
	*out = c;
	return 0;
}

int tls_cert_from(X509 *leaf, X509 *above, EVP_PKEY *key, struct tls_cert **out)
{
	struct tls_cert *c = cert_alloc();

	if (!c)
		return -ENOMEM;
	X509_up_ref(leaf);
	c->leaf = leaf;
	EVP_PKEY_up_ref(key);
	c->key = key;
	if (above && X509_up_ref(above) && add_cert(c, above)) {
		tls_cert_free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
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
	X509_free(cert->leaf);
	sk_X509_pop_free(cert->above, X509_free);
	EVP_PKEY_free(cert->key);
	free(cert);
}

int tls_cert_use(SSL *ssl, const struct tls_cert *cert)
{
	return SSL_use_cert_and_key(ssl, cert->leaf, cert->key, cert->above, 1) == 1 ? 0 : -EINVAL;
}
