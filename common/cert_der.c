/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/cert_der.h"
#include "common/random.h"

#include <stdbool.h>
#include <string.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_MAJOR >= 3

int cert_der_write(mbedtls_x509write_cert *w, unsigned char *der, size_t size)
{
	return mbedtls_x509write_crt_der(w, der, size, random_bytes, NULL);
}

#else

#define TBS_MAX	 4096
#define SEQUENCE (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE)
#define TAGGED	 (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED)

/* AlgorithmIdentifier of ecdsa-with-SHA256. */
static const unsigned char algorithm[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
	0x04, 0x03, 0x02 };

static int write_header(unsigned char **p, unsigned char *start, size_t len, unsigned char tag)
{
	size_t n = 0;
	int ret;

	MBEDTLS_ASN1_CHK_ADD(n, mbedtls_asn1_write_len(p, start, len));
	MBEDTLS_ASN1_CHK_ADD(n, mbedtls_asn1_write_tag(p, start, tag));
	return (int)n;
}

/* YYYYMMDDhhmmss as UTCTime before 2050, else GeneralizedTime (RFC 5280 4.1.2.5). */
static int write_time(unsigned char **p, unsigned char *start, const char *text)
{
	bool is_short = memcmp(text, "2050", 4) < 0;
	size_t n = 0;
	int ret;

	text += is_short ? 2 : 0;
	MBEDTLS_ASN1_CHK_ADD(
		n, mbedtls_asn1_write_raw_buffer(p, start, (const unsigned char *)"Z", 1));
	MBEDTLS_ASN1_CHK_ADD(n, mbedtls_asn1_write_raw_buffer(
					p, start, (const unsigned char *)text, is_short ? 12 : 14));
	MBEDTLS_ASN1_CHK_ADD(
		n, write_header(p, start, n,
			   is_short ? MBEDTLS_ASN1_UTC_TIME : MBEDTLS_ASN1_GENERALIZED_TIME));
	return (int)n;
}

static int write_validity(unsigned char **p, unsigned char *start, const mbedtls_x509write_cert *w)
{
	size_t n = 0;
	int ret;

	MBEDTLS_ASN1_CHK_ADD(n, write_time(p, start, w->not_after));
	MBEDTLS_ASN1_CHK_ADD(n, write_time(p, start, w->not_before));
	MBEDTLS_ASN1_CHK_ADD(n, write_header(p, start, n, SEQUENCE));
	return (int)n;
}

static int write_extensions(
	unsigned char **p, unsigned char *start, const mbedtls_x509write_cert *w)
{
	size_t n = 0;
	int ret;

	MBEDTLS_ASN1_CHK_ADD(n, mbedtls_x509_write_extensions(p, start, w->extensions));
	MBEDTLS_ASN1_CHK_ADD(n, write_header(p, start, n, SEQUENCE));
	MBEDTLS_ASN1_CHK_ADD(n, write_header(p, start, n, TAGGED | 3));
	return (int)n;
}

static int write_version(unsigned char **p, unsigned char *start)
{
	size_t n = 0;
	int ret;

	MBEDTLS_ASN1_CHK_ADD(n, mbedtls_asn1_write_int(p, start, MBEDTLS_X509_CRT_VERSION_3));
	MBEDTLS_ASN1_CHK_ADD(n, write_header(p, start, n, TAGGED | 0));
	return (int)n;
}

/* TBSCertificate, RFC 5280 4.1; DER is written from its end. */
static int write_tbs(unsigned char **p, unsigned char *start, const mbedtls_x509write_cert *w)
{
	size_t n = 0;
	int ret;

	MBEDTLS_ASN1_CHK_ADD(n, write_extensions(p, start, w));
	ret = mbedtls_pk_write_pubkey_der(w->subject_key, start, (size_t)(*p - start));
	if (ret < 0)
		return ret;
	*p -= ret;
	n += (size_t)ret;
	MBEDTLS_ASN1_CHK_ADD(n, mbedtls_x509_write_names(p, start, w->subject));
	MBEDTLS_ASN1_CHK_ADD(n, write_validity(p, start, w));
	MBEDTLS_ASN1_CHK_ADD(n, mbedtls_x509_write_names(p, start, w->issuer));
	MBEDTLS_ASN1_CHK_ADD(
		n, mbedtls_asn1_write_raw_buffer(p, start, algorithm, sizeof(algorithm)));
	MBEDTLS_ASN1_CHK_ADD(n, mbedtls_asn1_write_mpi(p, start, &w->serial));
	MBEDTLS_ASN1_CHK_ADD(n, write_version(p, start));
	MBEDTLS_ASN1_CHK_ADD(n, write_header(p, start, n, SEQUENCE));
	return (int)n;
}

static int write_signed(unsigned char **p, unsigned char *start, const mbedtls_x509write_cert *w,
	const unsigned char *tbs, size_t tbs_len)
{
	unsigned char hash[32], sig[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
	size_t sig_len, n = 0;
	int ret = mbedtls_sha256_ret(tbs, tbs_len, hash, 0);

	if (!ret)
		ret = mbedtls_pk_sign(w->issuer_key, MBEDTLS_MD_SHA256, hash, sizeof(hash), sig,
			&sig_len, random_bytes, NULL);
	if (ret)
		return ret;
	MBEDTLS_ASN1_CHK_ADD(n, mbedtls_asn1_write_raw_buffer(p, start, sig, sig_len));
	MBEDTLS_ASN1_CHK_ADD(
		n, mbedtls_asn1_write_raw_buffer(p, start, (const unsigned char *)"", 1));
	MBEDTLS_ASN1_CHK_ADD(n, write_header(p, start, n, MBEDTLS_ASN1_BIT_STRING));
	MBEDTLS_ASN1_CHK_ADD(
		n, mbedtls_asn1_write_raw_buffer(p, start, algorithm, sizeof(algorithm)));
	MBEDTLS_ASN1_CHK_ADD(n, mbedtls_asn1_write_raw_buffer(p, start, tbs, tbs_len));
	MBEDTLS_ASN1_CHK_ADD(n, write_header(p, start, n, SEQUENCE));
	return (int)n;
}

int cert_der_write(mbedtls_x509write_cert *w, unsigned char *der, size_t size)
{
	unsigned char tbs[TBS_MAX], *p = tbs + sizeof(tbs), *end = der + size;
	int len;

	if (!mbedtls_pk_can_do(w->issuer_key, MBEDTLS_PK_ECDSA))
		return mbedtls_x509write_crt_der(w, der, size, random_bytes, NULL);
	len = write_tbs(&p, tbs, w);
	return len < 0 ? len : write_signed(&end, der, w, p, (size_t)len);
}

#endif
