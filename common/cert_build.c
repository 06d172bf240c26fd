/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One certificate, written with mbedtls. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>

#include "common/cert_der.h"
#include "common/cert_impl.h"
#include "common/random.h"

int cert_make_key(mbedtls_pk_context *key)
{
	if (mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)))
		return -ENOMEM;
	return mbedtls_ecp_gen_key(
		       MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), random_bytes, NULL)
		       ? -EIO
		       : 0;
}

/* -- Names -- */

int cert_host_normal(const char *host, char out[static CERT_HOST_MAX + 1])
{
	unsigned char ip[16];
	size_t len = host ? strlen(host) : 0, label = 0;

	if (len && host[len - 1] == '.')
		len--;
	if (!len || len > CERT_HOST_MAX)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)host[i]);
	out[len] = '\0';
	if (inet_pton(AF_INET, out, ip) == 1 || inet_pton(AF_INET6, out, ip) == 1)
		return 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)out[i];

		if (c == '.') {
			if (!label)
				return -EINVAL;
			label = 0;
		} else if ((!isalnum(c) && c != '-' && c != '_') || ++label > 63) {
			return -EINVAL;
		}
	}
	return label ? 0 : -EINVAL;
}

/* "CN=..." for mbedtls; a name that cannot be one is refused. */
static int subject_text(const char *name, char *out, size_t size)
{
	size_t len = strlen(name);

	if (!len || len > CERT_COMMON_NAME_MAX)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || strchr(",+=\"\\<>;#", name[i]))
			return -EINVAL;
	snprintf(out, size, "CN=%s", name);
	return 0;
}

/* The issuer's subject, attribute by attribute with its own string types, so that the bytes are the
 * same. */
static int set_issuer(mbedtls_x509write_cert *w, const mbedtls_x509_crt *issuer)
{
	for (const mbedtls_x509_name *n = &issuer->subject; n && n->oid.p; n = n->next) {
		mbedtls_asn1_named_data *d =
			mbedtls_asn1_store_named_data(&w->MBEDTLS_PRIVATE(issuer),
				(const char *)n->oid.p, n->oid.len, n->val.p, n->val.len);

		if (!d)
			return -ENOMEM;
		d->val.tag = n->val.tag;
	}
	return 0;
}

/* -- Extensions -- */

/* Writes one dNSName [2] or iPAddress [7] before *p; its length or a negative error. */
static int write_name(unsigned char **p, unsigned char *start, const char *host)
{
	const unsigned char *value = (const unsigned char *)host;
	unsigned char ip[16], tag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;
	size_t value_len = strlen(host), len = 0;
	int ret;

	if (inet_pton(AF_INET, host, ip) == 1)
		value_len = 4;
	else if (inet_pton(AF_INET6, host, ip) == 1)
		value_len = 16;
	else
		goto write;
	value = ip;
	tag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;
write:
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_raw_buffer(p, start, value, value_len));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(p, start, len));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_tag(p, start, tag));
	return (int)len;
}

/* GeneralNames (RFC 5280 4.2.1.6), the host first. */
static int set_alt_names(mbedtls_x509write_cert *w, const struct cert_template *t)
{
	unsigned char der[(CERT_ALSO_MAX + 1) * (CERT_HOST_MAX + 4) + 8];
	unsigned char *p = der + sizeof(der);
	size_t len = 0;
	int ret;

	for (size_t i = t->n_also; i--;)
		MBEDTLS_ASN1_CHK_ADD(len, write_name(&p, der, t->also[i]));
	MBEDTLS_ASN1_CHK_ADD(len, write_name(&p, der, t->host));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(&p, der, len));
	MBEDTLS_ASN1_CHK_ADD(len,
		mbedtls_asn1_write_tag(&p, der, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
	return mbedtls_x509write_crt_set_extension(w, MBEDTLS_OID_SUBJECT_ALT_NAME,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, p, len);
}

/* SEQUENCE OF one KeyPurposeId, serverAuth. */
static int set_server_auth(mbedtls_x509write_cert *w)
{
	static const unsigned char der[] = { 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05,
		0x07, 0x03, 0x01 };

	return mbedtls_x509write_crt_set_extension(w, MBEDTLS_OID_EXTENDED_KEY_USAGE,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, der, sizeof(der));
}

/* Critical in either case (RFC 5280 4.2.1.9, BR 7.1.2.7.6), which the library's own is not for a
 * leaf. */
static int set_constraints(mbedtls_x509write_cert *w, const struct cert_template *t)
{
	static const unsigned char no_ca[] = { 0x30, 0x00 };

	if (!t->host)
		return mbedtls_x509write_crt_set_basic_constraints(w, 1, t->path_len);
	return mbedtls_x509write_crt_set_extension(w, MBEDTLS_OID_BASIC_CONSTRAINTS,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_BASIC_CONSTRAINTS), 1, no_ca, sizeof(no_ca));
}

static int set_extensions(mbedtls_x509write_cert *w, const struct cert_template *t)
{
	bool is_ca = !t->host;
	unsigned usage = is_ca ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
			       : MBEDTLS_X509_KU_DIGITAL_SIGNATURE;

	if (set_constraints(w, t) || mbedtls_x509write_crt_set_key_usage(w, usage) ||
		mbedtls_x509write_crt_set_subject_key_identifier(w) ||
		mbedtls_x509write_crt_set_authority_key_identifier(w))
		return -EIO;
	/* A root is not restricted; what it signs is. */
	if ((t->issuer || t->host) && set_server_auth(w))
		return -EIO;
	return t->host && set_alt_names(w, t) ? -EIO : 0;
}

int cert_make_serial(unsigned char serial[static CERT_SERIAL_LEN])
{
	if (random_bytes(NULL, serial, CERT_SERIAL_LEN))
		return -EIO;
	serial[0] = (serial[0] & 0x7f) | 0x40;
	return 0;
}

static int set_serial(mbedtls_x509write_cert *w)
{
	unsigned char serial[CERT_SERIAL_LEN];
	int ret = cert_make_serial(serial);

	if (ret)
		return ret;
#if MBEDTLS_VERSION_MAJOR >= 3
	ret = mbedtls_x509write_crt_set_serial_raw(w, serial, sizeof(serial));
#else
	mbedtls_mpi n;

	mbedtls_mpi_init(&n);
	ret = mbedtls_mpi_read_binary(&n, serial, sizeof(serial));
	if (!ret)
		ret = mbedtls_x509write_crt_set_serial(w, &n);
	mbedtls_mpi_free(&n);
#endif
	return ret ? -EIO : 0;
}

static int set_validity(mbedtls_x509write_cert *w, const struct cert_template *t)
{
	char from[16], to[16];
	struct tm tm;

	if (t->not_after <= t->not_before)
		return -EINVAL;
	strftime(from, sizeof(from), "%Y%m%d%H%M%S", gmtime_r(&t->not_before, &tm));
	strftime(to, sizeof(to), "%Y%m%d%H%M%S", gmtime_r(&t->not_after, &tm));
	return mbedtls_x509write_crt_set_validity(w, from, to) ? -EINVAL : 0;
}

int cert_build(const struct cert_template *t, unsigned char der[static CERT_DER_MAX])
{
	mbedtls_x509write_cert w;
	char subject[CERT_COMMON_NAME_MAX + 8];
	int ret;

	ret = subject_text(t->common_name, subject, sizeof(subject));
	if (ret)
		return ret;
	mbedtls_x509write_crt_init(&w);
	mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&w, t->key);
	mbedtls_x509write_crt_set_issuer_key(
		&w, t->issuer ? (mbedtls_pk_context *)(uintptr_t)&t->issuer->key : t->key);
	if (mbedtls_x509write_crt_set_subject_name(&w, subject))
		ret = -EINVAL;
	if (!ret && t->issuer)
		ret = set_issuer(&w, &t->issuer->crt);
	else if (!ret && mbedtls_x509write_crt_set_issuer_name(&w, subject))
		ret = -EINVAL;
	if (!ret)
		ret = set_serial(&w);
	if (!ret)
		ret = set_validity(&w, t);
	if (!ret)
		ret = set_extensions(&w, t);
	if (!ret) {
		ret = cert_der_write(&w, der, CERT_DER_MAX);
		if (ret < 0)
			ret = -EIO;
	}
	mbedtls_x509write_crt_free(&w);
	return ret;
}
