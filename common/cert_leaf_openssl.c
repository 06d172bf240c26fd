/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Leaves for the OpenSSL backend, made by it: the objects need not be written and read again. */
#define OPENSSL_SUPPRESS_DEPRECATED /* make_key */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/cert_impl.h"
#include "common/tls_openssl.h"

/* Those that all leaves share: constraints, usages, key identifiers. */
#define SHARED_MAX 5

struct cert_leaf_maker {
	X509 *issuer;
	EVP_PKEY *issuer_key;
	EVP_PKEY *key;
	X509_EXTENSION *shared[SHARED_MAX];
	bool is_root; /* the issuer: then it is not shown */
};

/* -- What is shared -- */

static int load_issuer(struct cert_leaf_maker *m, const struct cert_ca *ca)
{
	unsigned char der[CERT_DER_MAX];
	const unsigned char *p;
	size_t len;
	int n;

	p = cert_ca_der(ca, &len);
	m->issuer = d2i_X509(NULL, &p, (long)len);
	n = mbedtls_pk_write_key_der((mbedtls_pk_context *)(uintptr_t)&ca->key, der, sizeof(der));
	if (n > 0) {
		p = der + sizeof(der) - n;
		m->issuer_key = d2i_AutoPrivateKey(NULL, &p, n);
	}
	explicit_bzero(der, sizeof(der));
	return m->issuer && m->issuer_key ? 0 : -EINVAL;
}

static int make_shared(struct cert_leaf_maker *m)
{
	static const struct {
		int nid;
		const char *value;
	} wanted[SHARED_MAX] = {
		{ NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_key_usage, "critical,digitalSignature" },
		{ NID_ext_key_usage, "serverAuth" },
		{ NID_subject_key_identifier, "hash" },
		{ NID_authority_key_identifier, "keyid:always" },
	};
	X509 *subject = X509_new();
	X509V3_CTX ctx;
	int ok = subject && X509_set_pubkey(subject, m->key);

	X509V3_set_ctx(&ctx, m->issuer, subject, NULL, NULL, 0);
	for (size_t i = 0; i < SHARED_MAX && ok; i++) {
		m->shared[i] = X509V3_EXT_conf_nid(NULL, &ctx, wanted[i].nid, wanted[i].value);
		ok = m->shared[i] != NULL;
	}
	X509_free(subject);
	return ok ? 0 : -ENOMEM;
}

/* A key as it was before OpenSSL 3: putting one of the new kind into a certificate takes four times
 * as long as all the rest, signature included. */
static EVP_PKEY *make_key(void)
{
	EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	EVP_PKEY *key = EVP_PKEY_new();

	if (ec && key && EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec))
		return key;
	EC_KEY_free(ec);
	EVP_PKEY_free(key);
	return NULL;
}

int cert_leaf_maker_new(const struct cert_ca *issuer, struct cert_leaf_maker **out)
{
	struct cert_leaf_maker *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->is_root = cert_is_root(issuer);
	err = load_issuer(m, issuer);
	if (!err) {
		m->key = make_key();
		err = m->key ? make_shared(m) : -EIO;
	}
	ERR_clear_error();
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
	for (size_t i = 0; i < SHARED_MAX; i++)
		X509_EXTENSION_free(m->shared[i]);
	X509_free(m->issuer);
	EVP_PKEY_free(m->issuer_key);
	EVP_PKEY_free(m->key);
	free(m);
}

/* -- One leaf -- */

/* One dNSName or iPAddress (RFC 5280 4.2.1.6). */
static int add_alt_name(X509 *x, const char *host)
{
	bool is_address = tls_name_is_address(host);
	ASN1_OCTET_STRING *value =
		is_address ? a2i_IPADDRESS(host) : ASN1_STRING_type_new(V_ASN1_IA5STRING);
	GENERAL_NAME *name = GENERAL_NAME_new();
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	int ok = value && name && names && (is_address || ASN1_STRING_set(value, host, -1));

	if (!ok || !sk_GENERAL_NAME_push(names, name)) {
		ASN1_STRING_free(value);
		GENERAL_NAME_free(name);
		sk_GENERAL_NAME_free(names);
		return 0;
	}
	GENERAL_NAME_set0_value(name, is_address ? GEN_IPADD : GEN_DNS, value);
	ok = X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND);
	GENERAL_NAMES_free(names);
	return ok == 1;
}

static int set_serial(X509 *x)
{
	unsigned char serial[CERT_SERIAL_LEN];

	/* The bytes of a positive INTEGER are those of the number. */
	return !cert_make_serial(serial) &&
	       ASN1_STRING_set(X509_get_serialNumber(x), serial, sizeof(serial));
}

static int fill(const struct cert_leaf_maker *m, X509 *x, const char *host, time_t not_before,
	time_t not_after)
{
	const unsigned char *cn = (const unsigned char *)cert_leaf_name(host);
	int ok = X509_set_version(x, X509_VERSION_3) && set_serial(x) &&
		 X509_set_issuer_name(x, X509_get_subject_name(m->issuer)) &&
		 X509_NAME_add_entry_by_NID(
			 X509_get_subject_name(x), NID_commonName, MBSTRING_ASC, cn, -1, -1, 0) &&
		 ASN1_TIME_set(X509_getm_notBefore(x), not_before) &&
		 ASN1_TIME_set(X509_getm_notAfter(x), not_after) && X509_set_pubkey(x, m->key);

	for (size_t i = 0; i < SHARED_MAX && ok; i++)
		ok = X509_add_ext(x, m->shared[i], -1);
	return ok && add_alt_name(x, host) && X509_sign(x, m->issuer_key, EVP_sha256()) > 0;
}

int cert_leaf_make(struct cert_leaf_maker *m, const char *host, time_t not_before, time_t not_after,
	struct tls_cert **out)
{
	X509 *x = X509_new();
	int err = -ENOMEM;

	if (x)
		err = not_after > not_before && fill(m, x, host, not_before, not_after) ? 0 : -EIO;
	if (!err)
		err = tls_cert_from(x, m->is_root ? NULL : m->issuer, m->key, out);
	X509_free(x);
	ERR_clear_error();
	return err;
}
