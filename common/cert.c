/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/cert.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "common/buf.h"
#include "common/cert_der.h"
#include "common/hmap.h"
#include "common/list.h"
#include "common/random.h"

#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

#define DAY	 86400
#define DER_MAX	 4096
#define PEM_MAX	 8192
#define HOST_MAX 253
/* RFC 5280 A.1 */
#define COMMON_NAME_MAX 64
#define SERIAL_LEN	16

struct cert_ca {
	mbedtls_x509_crt crt;
	mbedtls_pk_context key;
	bool has_key;
	char pem[PEM_MAX];
};

/* What goes into one certificate. */
struct template
{
	const struct cert_ca *issuer; /* NULL: self-signed */
	mbedtls_pk_context *key;
	const char *common_name;
	const char *host; /* leaf: subjectAltName; NULL: a CA */
	int path_len;
	time_t not_before, not_after;
};

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

static int make_key(mbedtls_pk_context *key)
{
	if (mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)))
		return -ENOMEM;
	return mbedtls_ecp_gen_key(
		       MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), random_bytes, NULL)
		       ? -EIO
		       : 0;
}

/* -- Names -- */

/* A DNS name in lower case without a final dot, or an address. */
static int host_normal(const char *host, char out[static HOST_MAX + 1])
{
	unsigned char ip[16];
	size_t len = host ? strlen(host) : 0, label = 0;

	if (len && host[len - 1] == '.')
		len--;
	if (!len || len > HOST_MAX)
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

	if (!len || len > COMMON_NAME_MAX)
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

/* GeneralNames with one dNSName [2] or iPAddress [7] (RFC 5280 4.2.1.6). */
static int set_alt_name(mbedtls_x509write_cert *w, const char *host)
{
	unsigned char der[HOST_MAX + 16], ip[16];
	unsigned char *p = der + sizeof(der);
	const unsigned char *value = (const unsigned char *)host;
	size_t value_len = strlen(host), len = 0;
	unsigned char tag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;
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
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_raw_buffer(&p, der, value, value_len));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(&p, der, len));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_tag(&p, der, tag));
	MBEDTLS_ASN1_CHK_ADD(len, mbedtls_asn1_write_len(&p, der, len));
	MBEDTLS_ASN1_CHK_ADD(len,
		mbedtls_asn1_write_tag(&p, der, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
	ret = mbedtls_x509write_crt_set_extension(w, MBEDTLS_OID_SUBJECT_ALT_NAME,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, p, len);
	return ret;
}

/* SEQUENCE OF one KeyPurposeId, serverAuth. */
static int set_server_auth(mbedtls_x509write_cert *w)
{
	static const unsigned char der[] = { 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05,
		0x07, 0x03, 0x01 };

	return mbedtls_x509write_crt_set_extension(w, MBEDTLS_OID_EXTENDED_KEY_USAGE,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, der, sizeof(der));
}

static int set_extensions(mbedtls_x509write_cert *w, const struct template *t)
{
	bool is_ca = !t->host;
	unsigned usage = is_ca ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
			       : MBEDTLS_X509_KU_DIGITAL_SIGNATURE;

	if (mbedtls_x509write_crt_set_basic_constraints(w, is_ca, is_ca ? t->path_len : -1) ||
		mbedtls_x509write_crt_set_key_usage(w, usage) ||
		mbedtls_x509write_crt_set_subject_key_identifier(w) ||
		mbedtls_x509write_crt_set_authority_key_identifier(w))
		return -EIO;
	/* A root is not restricted; what it signs is. */
	if ((t->issuer || t->host) && set_server_auth(w))
		return -EIO;
	return t->host && set_alt_name(w, t->host) ? -EIO : 0;
}

static int set_serial(mbedtls_x509write_cert *w)
{
	unsigned char serial[SERIAL_LEN];
	int ret;

	if (random_bytes(NULL, serial, sizeof(serial)))
		return -EIO;
	/* Positive, and never shorter. */
	serial[0] = (serial[0] & 0x7f) | 0x40;
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

static int set_validity(mbedtls_x509write_cert *w, const struct template *t)
{
	char from[16], to[16];
	struct tm tm;

	if (t->not_after <= t->not_before)
		return -EINVAL;
	strftime(from, sizeof(from), "%Y%m%d%H%M%S", gmtime_r(&t->not_before, &tm));
	strftime(to, sizeof(to), "%Y%m%d%H%M%S", gmtime_r(&t->not_after, &tm));
	return mbedtls_x509write_crt_set_validity(w, from, to) ? -EINVAL : 0;
}

/* Signs; `der` receives the certificate at its end. Its length or -errno. */
static int build(const struct template *t, unsigned char der[static DER_MAX])
{
	mbedtls_x509write_cert w;
	char subject[COMMON_NAME_MAX + 8];
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
		ret = cert_der_write(&w, der, DER_MAX);
		if (ret < 0)
			ret = -EIO;
	}
	mbedtls_x509write_crt_free(&w);
	return ret;
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
	unsigned char der[DER_MAX];
	struct cert_ca *ca = ca_alloc();
	struct template t = {
		.issuer = issuer,
		.common_name = name,
		.path_len = issuer ? 0 : 1,
		.not_before = now - 3600,
		.not_after = now - 3600 + (time_t)days * DAY - 1,
	};
	int ret;

	if (!ca)
		return -ENOMEM;
	t.key = &ca->key;
	if (issuer && t.not_after > cert_ca_not_after(issuer))
		t.not_after = cert_ca_not_after(issuer);
	ret = make_key(&ca->key);
	if (!ret) {
		ret = build(&t, der);
		if (ret > 0)
			ret = mbedtls_x509_crt_parse_der(&ca->crt, der + DER_MAX - ret, (size_t)ret)
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
	char text[PEM_MAX];
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

/* Long names do not fit a common name; browsers read the alternative name only. */
static const char *leaf_name(const char *host)
{
	return strlen(host) > COMMON_NAME_MAX ? "culvert" : host;
}

static void leaf_validity(struct template *t, time_t now)
{
	if (!t->not_before)
		t->not_before = now - DAY;
	if (!t->not_after) {
		t->not_after = t->not_before + (time_t)CERT_LEAF_DAYS * DAY - 1;
		if (t->issuer && t->not_after > cert_ca_not_after(t->issuer))
			t->not_after = cert_ca_not_after(t->issuer);
	}
}

static bool is_root(const struct cert_ca *ca)
{
	return ca->crt.issuer_raw.len == ca->crt.subject_raw.len &&
	       !memcmp(ca->crt.issuer_raw.p, ca->crt.subject_raw.p, ca->crt.issuer_raw.len);
}

static int leaf_pem(const struct cert_ca *issuer, const unsigned char *der, size_t len,
	mbedtls_pk_context *key, char **cert_pem, char **key_out)
{
	char text[PEM_MAX];
	size_t n;
	int err = -ENOMEM;

	if (mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
		    der, len, (unsigned char *)text, sizeof(text), &n))
		return -EINVAL;
	*cert_pem = NULL;
	if (asprintf(cert_pem, "%s%s", text, issuer && !is_root(issuer) ? issuer->pem : "") < 0)
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

int cert_issue(
	const struct cert_ca *issuer, const struct cert_spec *spec, char **cert_pem, char **key_out)
{
	unsigned char der[DER_MAX];
	char host[HOST_MAX + 1];
	mbedtls_pk_context key;
	struct template t = {
		.issuer = issuer,
		.key = &key,
		.host = host,
		.not_before = spec->not_before,
		.not_after = spec->not_after,
	};
	int ret;

	if ((issuer && !issuer->has_key) || host_normal(spec->host, host))
		return -EINVAL;
	t.common_name = leaf_name(host);
	leaf_validity(&t, time(NULL));
	mbedtls_pk_init(&key);
	ret = make_key(&key);
	if (!ret) {
		ret = build(&t, der);
		if (ret > 0)
			ret = leaf_pem(
				issuer, der + DER_MAX - ret, (size_t)ret, &key, cert_pem, key_out);
	}
	mbedtls_pk_free(&key);
	return ret;
}

/* -- Minting -- */

struct leaf {
	struct list node; /* cert_minter.lru, oldest first */
	struct tls_cert *cert;
	time_t not_after;
	char host[];
};

struct cert_minter {
	struct cert_ca *issuer;
	mbedtls_pk_context key;
	unsigned char key_der[256];
	struct tls_der key_view;
	struct hmap leaves;
	struct list lru;
	size_t max_leaves;
	uint64_t made;
};

static void on_free_leaf(void *value)
{
	struct leaf *l = value;

	list_remove(&l->node);
	tls_cert_free(l->cert);
	free(l);
}

static int mint(struct cert_minter *m, const char *host, struct tls_cert **cert, time_t *not_after)
{
	unsigned char der[DER_MAX];
	struct template t = {
		.issuer = m->issuer,
		.key = &m->key,
		.host = host,
		.common_name = leaf_name(host),
	};
	struct tls_der chain[2];
	int ret;

	leaf_validity(&t, time(NULL));
	ret = build(&t, der);
	if (ret < 0)
		return ret;
	chain[0] = (struct tls_der){ der + DER_MAX - ret, (size_t)ret };
	chain[1].data = cert_ca_der(m->issuer, &chain[1].len);
	*not_after = t.not_after;
	m->made++;
	return tls_cert_new_der(chain, is_root(m->issuer) ? 1 : 2, &m->key_view, cert);
}

int cert_minter_new(struct cert_ca *issuer, size_t max_leaves, struct cert_minter **out)
{
	struct cert_minter *m = calloc(1, sizeof(*m));
	int ret = -EINVAL;

	if (!m) {
		cert_ca_free(issuer);
		return -ENOMEM;
	}
	m->issuer = issuer;
	m->max_leaves = max_leaves ? max_leaves : 1;
	mbedtls_pk_init(&m->key);
	hmap_init(&m->leaves, on_free_leaf);
	list_init(&m->lru);
	if (!issuer->has_key)
		goto fail;
	ret = make_key(&m->key);
	if (ret)
		goto fail;
	/* Written at the end of the buffer, with the public half: parsing then need not compute it.
	 */
	ret = mbedtls_pk_write_key_der(&m->key, m->key_der, sizeof(m->key_der));
	if (ret < 0) {
		ret = -EIO;
		goto fail;
	}
	m->key_view = (struct tls_der){ m->key_der + sizeof(m->key_der) - ret, (size_t)ret };
	*out = m;
	return 0;
fail:
	cert_minter_free(m);
	return ret;
}

void cert_minter_free(struct cert_minter *m)
{
	if (!m)
		return;
	hmap_fini(&m->leaves);
	mbedtls_pk_free(&m->key);
	explicit_bzero(m->key_der, sizeof(m->key_der));
	cert_ca_free(m->issuer);
	free(m);
}

static struct leaf *leaf_new(struct cert_minter *m, const char *host)
{
	struct leaf *l = calloc(1, sizeof(*l) + strlen(host) + 1);

	if (!l)
		return NULL;
	list_init(&l->node);
	memcpy(l->host, host, strlen(host) + 1);
	if (mint(m, host, &l->cert, &l->not_after) || hmap_set_str(&m->leaves, host, l)) {
		on_free_leaf(l);
		return NULL;
	}
	list_add(&m->lru, &l->node);
	if (m->leaves.count > m->max_leaves)
		hmap_remove_str(&m->leaves, container_of(m->lru.next, struct leaf, node)->host);
	return l;
}

struct tls_cert *cert_minter_get(struct cert_minter *m, const char *name)
{
	char host[HOST_MAX + 1];
	struct leaf *l;

	if (host_normal(name, host))
		return NULL;
	l = hmap_find_str(&m->leaves, host);
	if (l && l->not_after - time(NULL) < DAY) {
		hmap_remove_str(&m->leaves, host);
		l = NULL;
	}
	if (!l)
		l = leaf_new(m, host);
	if (!l)
		return NULL;
	list_remove(&l->node);
	list_add(&m->lru, &l->node);
	return tls_cert_ref(l->cert);
}

uint64_t cert_minter_made(const struct cert_minter *m)
{
	return m->made;
}

size_t cert_minter_count(const struct cert_minter *m)
{
	return m->leaves.count;
}
