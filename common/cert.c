/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/cert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <mbedtls/pem.h>
#include <mbedtls/sha256.h>

#include "common/buf.h"
#include "common/cert_impl.h"
#include "common/random.h"

static time_t to_time(const mbedtls_x509_time *t)
{
	struct tm tm = {
		.tm_year = t->year - 1900,
		.tm_mon = t->mon - 1,
		.tm_mday = t->day,
		.tm_hour = t->hour,
		.tm_min = t->min,
		.tm_sec = t->sec,
	};

	return timegm(&tm);
}

/* -- Authorities -- */

static struct cert_ca *ca_alloc(void)
{
	struct cert_ca *ca = calloc(1, sizeof(*ca));

	if (ca) {
		mbedtls_x509_crt_init(&ca->crt);
		mbedtls_pk_init(&ca->key);
	}
	return ca;
}

void cert_ca_free(struct cert_ca *ca)
{
	if (!ca)
		return;
	mbedtls_x509_crt_free(&ca->crt);
	mbedtls_pk_free(&ca->key);
	free(ca);
}

static int pem_of(const mbedtls_x509_crt *crt, char *out, size_t size)
{
	size_t len;

	return mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n",
		       "-----END CERTIFICATE-----\n", crt->raw.p, crt->raw.len,
		       (unsigned char *)out, size, &len)
		       ? -EINVAL
		       : 0;
}

static int make_ca(
	const struct cert_ca *issuer, const char *name, time_t now, int days, struct cert_ca **out)
{
	unsigned char der[CERT_DER_MAX];
	struct cert_ca *ca = ca_alloc();
	struct cert_template t = {
		.issuer = issuer,
		.common_name = name,
		.path_len = issuer ? 0 : 1,
		.not_before = now - 3600,
		.not_after = now - 3600 + (time_t)days * CERT_DAY_S - 1,
	};
	int ret;

	if (!ca)
		return -ENOMEM;
	t.key = &ca->key;
	if (issuer && t.not_after > cert_ca_not_after(issuer))
		t.not_after = cert_ca_not_after(issuer);
	ret = cert_make_key(&ca->key);
	if (!ret) {
		ret = cert_build(&t, der);
		if (ret > 0)
			ret = mbedtls_x509_crt_parse_der(
				      &ca->crt, der + CERT_DER_MAX - ret, (size_t)ret)
				      ? -EIO
				      : pem_of(&ca->crt, ca->pem, sizeof(ca->pem));
	}
	if (ret) {
		cert_ca_free(ca);
		return ret;
	}
	ca->has_key = true;
	*out = ca;
	return 0;
}

int cert_make_root(const char *name, time_t now, struct cert_ca **out)
{
	return make_ca(NULL, name, now, CERT_ROOT_DAYS, out);
}

int cert_make_intermediate(
	const struct cert_ca *root, const char *name, time_t now, struct cert_ca **out)
{
	if (!root->has_key)
		return -EINVAL;
	return make_ca(root, name, now, CERT_INTERMEDIATE_DAYS, out);
}

static int key_parse(mbedtls_pk_context *key, const struct buf *b)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_parse_key(key, b->data, b->len + 1, NULL, 0, random_bytes, NULL);
#else
	return mbedtls_pk_parse_key(key, b->data, b->len + 1, NULL, 0);
#endif
}

static int check_pair(struct cert_ca *ca)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_check_pair(&ca->crt.pk, &ca->key, random_bytes, NULL);
#else
	return mbedtls_pk_check_pair(&ca->crt.pk, &ca->key);
#endif
}

static int load_key(struct cert_ca *ca, const char *file)
{
	struct stat st;
	struct buf b;
	int err;

	if (stat(file, &st))
		return -errno;
	if (st.st_mode & 0077)
		return -EPERM;
	buf_init(&b, 65536);
	err = buf_read_file(&b, file);
	if (!err && (!b.data || key_parse(&ca->key, &b) || check_pair(ca)))
		err = -EINVAL;
	if (b.data)
		explicit_bzero(b.data, b.len);
	buf_fini(&b);
	ca->has_key = !err;
	return err;
}

int cert_ca_load(const char *cert_file, const char *key_file, struct cert_ca **out)
{
	struct cert_ca *ca = ca_alloc();
	struct buf b;
	int err;

	if (!ca)
		return -ENOMEM;
	buf_init(&b, 65536);
	err = buf_read_file(&b, cert_file);
	if (!err && (!b.data || mbedtls_x509_crt_parse(&ca->crt, b.data, b.len + 1) ||
			    !ca->crt.MBEDTLS_PRIVATE(ca_istrue)))
		err = -EINVAL;
	buf_fini(&b);
	if (!err)
		err = pem_of(&ca->crt, ca->pem, sizeof(ca->pem));
	if (!err && key_file)
		err = load_key(ca, key_file);
	if (err) {
		cert_ca_free(ca);
		return err;
	}
	*out = ca;
	return 0;
}

static int key_pem(const mbedtls_pk_context *key, char *out, size_t size)
{
	return mbedtls_pk_write_key_pem(
		       (mbedtls_pk_context *)(uintptr_t)key, (unsigned char *)out, size)
		       ? -EINVAL
		       : 0;
}

int cert_ca_save(const struct cert_ca *ca, const char *cert_file, const char *key_file)
{
	char text[CERT_PEM_MAX];
	int err;

	if (key_file) {
		if (!ca->has_key)
			return -EINVAL;
		err = key_pem(&ca->key, text, sizeof(text));
		if (!err)
			err = file_write_atomic(key_file, text, strlen(text), 0400);
		explicit_bzero(text, sizeof(text));
		if (err)
			return err;
	}
	return file_write_atomic(cert_file, ca->pem, strlen(ca->pem), 0444);
}

const char *cert_ca_pem(const struct cert_ca *ca)
{
	return ca->pem;
}

const uint8_t *cert_ca_der(const struct cert_ca *ca, size_t *len)
{
	*len = ca->crt.raw.len;
	return ca->crt.raw.p;
}

void cert_ca_fingerprint(const struct cert_ca *ca, uint8_t sha256[static CERT_FINGERPRINT_LEN])
{
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_sha256(ca->crt.raw.p, ca->crt.raw.len, sha256, 0);
#else
	mbedtls_sha256_ret(ca->crt.raw.p, ca->crt.raw.len, sha256, 0);
#endif
}

time_t cert_ca_not_after(const struct cert_ca *ca)
{
	return to_time(&ca->crt.valid_to);
}

/* -- Leaves -- */

bool cert_is_host(const char *host)
{
	char text[CERT_HOST_MAX + 1];

	return !cert_host_normal(host, text);
}

const char *cert_leaf_name(const char *host)
{
	return strlen(host) > CERT_COMMON_NAME_MAX ? "culvert" : host;
}

void cert_leaf_validity(
	const struct cert_ca *issuer, time_t now, time_t *not_before, time_t *not_after)
{
	if (!*not_before)
		*not_before = now - CERT_DAY_S;
	if (*not_after)
		return;
	*not_after = *not_before + (time_t)CERT_LEAF_DAYS * CERT_DAY_S - 1;
	if (issuer && *not_after > cert_ca_not_after(issuer))
		*not_after = cert_ca_not_after(issuer);
}

bool cert_is_root(const struct cert_ca *ca)
{
	return ca->crt.issuer_raw.len == ca->crt.subject_raw.len &&
	       !memcmp(ca->crt.issuer_raw.p, ca->crt.subject_raw.p, ca->crt.issuer_raw.len);
}

static int leaf_pem(const struct cert_ca *issuer, const unsigned char *der, size_t len,
	mbedtls_pk_context *key, char **cert_pem, char **key_out)
{
	char text[CERT_PEM_MAX];
	size_t n;
	int err = -ENOMEM;

	if (mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
		    der, len, (unsigned char *)text, sizeof(text), &n))
		return -EINVAL;
	*cert_pem = NULL;
	if (asprintf(cert_pem, "%s%s", text, issuer && !cert_is_root(issuer) ? issuer->pem : "") <
		0)
		return -ENOMEM;
	if (!key_pem(key, text, sizeof(text))) {
		*key_out = strdup(text);
		err = *key_out ? 0 : -ENOMEM;
	}
	explicit_bzero(text, sizeof(text));
	if (err)
		free(*cert_pem);
	return err;
}

/* The other names as by cert_host_normal, in `text`. 0 or -EINVAL. */
static int take_also(const struct cert_spec *spec, char text[][CERT_HOST_MAX + 1], const char **out)
{
	int err = spec->n_also <= CERT_ALSO_MAX ? 0 : -EINVAL;

	for (size_t i = 0; i < spec->n_also && !err; i++) {
		err = cert_host_normal(spec->also[i], text[i]);
		out[i] = text[i];
	}
	return err;
}

int cert_issue(
	const struct cert_ca *issuer, const struct cert_spec *spec, char **cert_pem, char **key_out)
{
	unsigned char der[CERT_DER_MAX];
	char host[CERT_HOST_MAX + 1], text[CERT_ALSO_MAX][CERT_HOST_MAX + 1];
	const char *also[CERT_ALSO_MAX];
	mbedtls_pk_context key;
	struct cert_template t = {
		.issuer = issuer,
		.key = &key,
		.host = host,
		.also = also,
		.n_also = spec->n_also,
		.not_before = spec->not_before,
		.not_after = spec->not_after,
	};
	int ret;

	if ((issuer && !issuer->has_key) || cert_host_normal(spec->host, host) ||
		take_also(spec, text, also))
		return -EINVAL;
	t.common_name = cert_leaf_name(host);
	cert_leaf_validity(issuer, time(NULL), &t.not_before, &t.not_after);
	mbedtls_pk_init(&key);
	ret = cert_make_key(&key);
	if (!ret) {
		ret = cert_build(&t, der);
		if (ret > 0)
			ret = leaf_pem(issuer, der + CERT_DER_MAX - ret, (size_t)ret, &key,
				cert_pem, key_out);
	}
	mbedtls_pk_free(&key);
	return ret;
}
