/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates (SPEC P2): what browsers ask for, bounded cache, files with the right modes. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include "common/cert.h"
#include "tests/unit/tap.h"

#define DAY 86400

static struct cert_ca *root(void)
{
	struct cert_ca *ca = NULL;

	OK(cert_make_root("Culvert Root", time(NULL), &ca) == 0);
	return ca;
}

static struct cert_ca *intermediate(const struct cert_ca *r)
{
	struct cert_ca *ca = NULL;

	OK(cert_make_intermediate(r, "Culvert Gateway 1", time(NULL), &ca) == 0);
	return ca;
}

static mbedtls_x509_crt parse(const char *pem)
{
	mbedtls_x509_crt crt;

	mbedtls_x509_crt_init(&crt);
	OK(mbedtls_x509_crt_parse(&crt, (const unsigned char *)pem, strlen(pem) + 1) == 0);
	return crt;
}

static double days(const mbedtls_x509_crt *c)
{
	struct tm a = { .tm_year = c->valid_from.year - 1900,
		.tm_mon = c->valid_from.mon - 1,
		.tm_mday = c->valid_from.day,
		.tm_hour = c->valid_from.hour,
		.tm_min = c->valid_from.min,
		.tm_sec = c->valid_from.sec };
	struct tm b = { .tm_year = c->valid_to.year - 1900,
		.tm_mon = c->valid_to.mon - 1,
		.tm_mday = c->valid_to.day,
		.tm_hour = c->valid_to.hour,
		.tm_min = c->valid_to.min,
		.tm_sec = c->valid_to.sec };

	return (double)(timegm(&b) - timegm(&a)) / DAY;
}

static uint32_t verify(const char *root_pem, const char *chain_pem, const char *name)
{
	mbedtls_x509_crt ca = parse(root_pem), chain = parse(chain_pem);
	uint32_t flags = 0;

	mbedtls_x509_crt_verify(&chain, &ca, NULL, name, &flags, NULL, NULL);
	mbedtls_x509_crt_free(&ca);
	mbedtls_x509_crt_free(&chain);
	return flags;
}

/* RFC 5758 3.2: ecdsa-with-SHA256 has no parameters; a NULL there makes browsers refuse. */
static void test_algorithm_has_no_parameters(void)
{
	static const unsigned char want[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
		0x04, 0x03, 0x02 };
	struct cert_ca *r = root(), *i = intermediate(r);
	const char *pems[] = { cert_ca_pem(r), cert_ca_pem(i) };

	for (size_t n = 0; n < 2; n++) {
		mbedtls_x509_crt c = parse(pems[n]);
		const unsigned char *inner = memmem(c.tbs.p, c.tbs.len, want, sizeof(want));
		const unsigned char *outer = c.tbs.p + c.tbs.len;

		OK(inner != NULL);
		OK(memcmp(outer, want, sizeof(want)) == 0);
		mbedtls_x509_crt_free(&c);
	}
	OK(verify(pems[0], pems[1], NULL) == 0);
	cert_ca_free(i);
	cert_ca_free(r);
}

static void test_root_lives_ten_years_and_is_ca(void)
{
	struct cert_ca *r = root();
	mbedtls_x509_crt c = parse(cert_ca_pem(r));

	OK(days(&c) > 3649 && days(&c) <= 3650);
	OK(mbedtls_x509_crt_check_key_usage(&c, MBEDTLS_X509_KU_KEY_CERT_SIGN) == 0);
	mbedtls_x509_crt_free(&c);
	cert_ca_free(r);
}

static void test_intermediate_lives_90_days_and_verifies(void)
{
	struct cert_ca *r = root(), *i = intermediate(r);
	mbedtls_x509_crt c = parse(cert_ca_pem(i));

	OK(days(&c) > 89 && days(&c) <= 90);
	INT_IS(verify(cert_ca_pem(r), cert_ca_pem(i), NULL), 0);
	mbedtls_x509_crt_free(&c);
	cert_ca_free(i);
	cert_ca_free(r);
}

static void test_leaf_is_for_one_host_with_server_auth(void)
{
	struct cert_ca *r = root(), *i = intermediate(r);
	struct cert_spec spec = { .host = "Allowed.Example." };
	char *pem = NULL, *key = NULL;
	mbedtls_x509_crt c;

	INT_IS(cert_issue(i, &spec, &pem, &key), 0);
	c = parse(pem);
	OK(days(&c) <= CERT_LEAF_DAYS && days(&c) > 45);
	OK(mbedtls_x509_crt_check_extended_key_usage(
		   &c, MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) == 0);
	OK(mbedtls_x509_crt_check_extended_key_usage(
		   &c, MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)) != 0);
	OK(c.subject_alt_names.buf.len == 15 && !c.subject_alt_names.next);
	OK(c.serial.len == 16);
	INT_IS(verify(cert_ca_pem(r), pem, "allowed.example"), 0);
	INT_IS(verify(cert_ca_pem(r), pem, "www.allowed.example"),
		MBEDTLS_X509_BADCERT_CN_MISMATCH);
	mbedtls_x509_crt_free(&c);
	free(pem);
	free(key);
	cert_ca_free(i);
	cert_ca_free(r);
}

static void test_address_becomes_ip_alternative_name(void)
{
	struct cert_ca *r = root();
	struct cert_spec spec = { .host = "fd09::1" };
	char *pem = NULL, *key = NULL;
	mbedtls_x509_crt c;

	INT_IS(cert_issue(r, &spec, &pem, &key), 0);
	c = parse(pem);
	INT_IS(c.subject_alt_names.buf.tag & 0x1f, 7);
	INT_IS(c.subject_alt_names.buf.len, 16);
	mbedtls_x509_crt_free(&c);
	free(pem);
	free(key);
	cert_ca_free(r);
}

static void test_one_leaf_is_for_several_names(void)
{
	static const char *const also[] = { "GW.example.", "192.0.2.1", "fd09::1" };
	static const char *const bad[] = { "a b" };
	struct cert_ca *r = root();
	struct cert_spec spec = { .host = "admin.example", .also = also, .n_also = 3 };
	char *pem = NULL, *key = NULL;
	size_t n = 0;
	mbedtls_x509_crt c;

	INT_IS(cert_issue(r, &spec, &pem, &key), 0);
	INT_IS(verify(cert_ca_pem(r), pem, "admin.example"), 0);
	INT_IS(verify(cert_ca_pem(r), pem, "gw.example"), 0);
	OK(verify(cert_ca_pem(r), pem, "other.example") != 0);
	c = parse(pem);
	for (const mbedtls_x509_sequence *s = &c.subject_alt_names; s; s = s->next)
		n++;
	INT_IS(n, 4);
	mbedtls_x509_crt_free(&c);
	free(pem);
	free(key);
	spec.also = bad;
	spec.n_also = 1;
	INT_IS(cert_issue(r, &spec, &pem, &key), -EINVAL);
	spec.n_also = CERT_ALSO_MAX + 1;
	INT_IS(cert_issue(r, &spec, &pem, &key), -EINVAL);
	cert_ca_free(r);
}

static void test_refuses_names_that_are_none(void)
{
	static const char *const bad[] = { "", ".", "a..b", "a b", "a/b", "*.example", "a,CN=b",
		"a\nb", "..", "h:443", "-\x80",
		"a123456789a123456789a123456789a123456789a123456789a123456789abcd.x" };
	struct cert_ca *r = root();

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cert_spec spec = { .host = bad[i] };
		char *pem, *key;

		INT_IS(cert_issue(r, &spec, &pem, &key), -EINVAL);
	}
	cert_ca_free(r);
}

static void test_long_name_gets_a_leaf(void)
{
	struct cert_ca *r = root();
	char host[201];
	struct cert_spec spec = { .host = host };
	char *pem = NULL, *key = NULL;

	for (int i = 0; i < 200; i++)
		host[i] = i % 40 == 39 ? '.' : 'a';
	host[199] = 'b';
	host[200] = '\0';
	INT_IS(cert_issue(r, &spec, &pem, &key), 0);
	INT_IS(verify(cert_ca_pem(r), pem, host), 0);
	free(pem);
	free(key);
	cert_ca_free(r);
}

static void test_files_keep_pair_and_modes(void)
{
	char dir[] = "/tmp/test-cert-XXXXXX", cert[64], key[64];
	struct cert_ca *r = root(), *back = NULL, *other = root();
	struct stat st;
	uint8_t a[32], b[32];

	OK(mkdtemp(dir) != NULL);
	snprintf(cert, sizeof(cert), "%s/root.pem", dir);
	snprintf(key, sizeof(key), "%s/root.key", dir);
	INT_IS(cert_ca_save(r, cert, key), 0);
	OK(stat(key, &st) == 0 && (st.st_mode & 0777) == 0400);
	INT_IS(cert_ca_load(cert, key, &back), 0);
	cert_ca_fingerprint(r, a);
	cert_ca_fingerprint(back, b);
	OK(memcmp(a, b, 32) == 0);
	cert_ca_free(back);
	INT_IS(cert_ca_load(cert, NULL, &back), 0);
	cert_ca_free(back);
	OK(chmod(key, 0440) == 0);
	INT_IS(cert_ca_load(cert, key, &back), -EPERM);
	INT_IS(cert_ca_save(other, cert, NULL), 0);
	OK(chmod(key, 0400) == 0);
	INT_IS(cert_ca_load(cert, key, &back), -EINVAL);
	unlink(cert);
	unlink(key);
	rmdir(dir);
	cert_ca_free(other);
	cert_ca_free(r);
}

static void test_minter_keeps_a_bounded_number(void)
{
	struct cert_ca *r = root();
	struct cert_minter *m = NULL;
	struct tls_cert *a, *again;

	INT_IS(cert_minter_new(intermediate(r), 2, &m), 0);
	a = cert_minter_get(m, "a.example");
	again = cert_minter_get(m, "A.Example.");
	OK(a && a == again);
	INT_IS(cert_minter_made(m), 1);
	tls_cert_free(again);
	tls_cert_free(cert_minter_get(m, "b.example"));
	tls_cert_free(cert_minter_get(m, "c.example"));
	INT_IS(cert_minter_count(m), 2);
	tls_cert_free(cert_minter_get(m, "a.example"));
	INT_IS(cert_minter_made(m), 4);
	OK(cert_minter_get(m, NULL) == NULL);
	tls_cert_free(a);
	cert_minter_free(m);
	cert_ca_free(r);
}

int main(void)
{
	TAP_RUN(test_algorithm_has_no_parameters);
	TAP_RUN(test_root_lives_ten_years_and_is_ca);
	TAP_RUN(test_intermediate_lives_90_days_and_verifies);
	TAP_RUN(test_leaf_is_for_one_host_with_server_auth);
	TAP_RUN(test_address_becomes_ip_alternative_name);
	TAP_RUN(test_one_leaf_is_for_several_names);
	TAP_RUN(test_refuses_names_that_are_none);
	TAP_RUN(test_long_name_gets_a_leaf);
	TAP_RUN(test_files_keep_pair_and_modes);
	TAP_RUN(test_minter_keeps_a_bounded_number);
	return tap_done();
}
