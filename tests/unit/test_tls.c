/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TLS engine, both ends in memory (SPEC P2: upstream certificates verified, reasons named). */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common/cert.h"
#include "common/tls.h"
#include "tests/unit/tap.h"
#include "tests/unit/tls_pair.h"

#define DAY 86400

/* A handshake with a leaf of this shape must fail for this reason. */
static void expect_refused(const struct cert_ca *issuer, const struct cert_ca *trusted,
	const struct cert_spec *spec, const char *name, enum tls_verify why)
{
	struct tls_ctx *s = server_ctx(issuer, spec, NULL), *c = client_ctx(trusted, NULL);
	struct pair p;

	open_pair(&p, c, s, name, 0);
	INT_IS(p.c_err, -EBADMSG);
	/* mbedtls 3.6 sends this alert of TLS 1.3 under keys that its own server does not have yet.
	 */
	OK(p.s_err == -ECONNABORTED || p.s_err == -EPROTO);
	INT_IS(info_of(p.c).verify, why);
	STR_IS(info_of(p.c).error, tls_verify_text(why));
	OK((p.s_err == -ECONNABORTED) == (info_of(p.s).peer_alert != 0));
	close_pair(&p);
	tls_ctx_free(s);
	tls_ctx_free(c);
}

static void test_talks_both_ways(void)
{
	struct cert_ca *ca = root();
	struct cert_spec spec = { .host = "h.example" };
	struct tls_ctx *s = server_ctx(ca, &spec, NULL), *c = client_ctx(ca, NULL);
	struct pair p;
	char buf[64];

	open_pair(&p, c, s, "h.example", 0);
	INT_IS(p.c_err, 0);
	INT_IS(p.s_err, 0);
	STR_IS(info_of(p.s).sni, "h.example");
	OK(tls_write(p.c, "ping", 4) == 0);
	move(p.c, p.s);
	INT_IS(tls_read(p.s, buf, sizeof(buf)), 4);
	INT_IS(tls_read(p.s, buf, sizeof(buf)), -EAGAIN);
	OK(tls_write(p.s, "pong!", 5) == 0);
	OK(tls_close_notify(p.s) == 0);
	INT_IS(tls_write(p.s, "x", 1), -EPIPE);
	move(p.s, p.c);
	INT_IS(tls_read(p.c, buf, sizeof(buf)), 5);
	INT_IS(tls_read(p.c, buf, sizeof(buf)), 0);
	close_pair(&p);
	tls_ctx_free(s);
	tls_ctx_free(c);
	cert_ca_free(ca);
}

static void test_shakes_hands_byte_by_byte(void)
{
	struct cert_ca *ca = root();
	struct cert_spec spec = { .host = "h.example" };
	struct tls_ctx *s = server_ctx(ca, &spec, NULL), *c = client_ctx(ca, NULL);
	struct pair p;

	open_pair(&p, c, s, "h.example", 1);
	INT_IS(p.c_err, 0);
	INT_IS(p.s_err, 0);
	close_pair(&p);
	tls_ctx_free(s);
	tls_ctx_free(c);
	cert_ca_free(ca);
}

static void test_names_why_a_certificate_is_refused(void)
{
	time_t now = time(NULL);
	struct cert_ca *ca = root(), *other = root();
	struct cert_spec good = { .host = "h.example" };
	struct cert_spec old = {
		.host = "h.example", .not_before = now - 40 * DAY, .not_after = now - DAY
	};
	struct cert_spec early = {
		.host = "h.example", .not_before = now + DAY, .not_after = now + 40 * DAY
	};
	struct cert_spec address = { .host = "10.0.0.1" };

	expect_refused(ca, ca, &good, "other.example", TLS_VERIFY_WRONG_NAME);
	expect_refused(ca, ca, &good, "10.0.0.1", TLS_VERIFY_WRONG_NAME);
	expect_refused(ca, ca, &address, "10.0.0.2", TLS_VERIFY_WRONG_NAME);
	expect_refused(ca, ca, &old, "h.example", TLS_VERIFY_EXPIRED);
	expect_refused(ca, ca, &early, "h.example", TLS_VERIFY_NOT_YET);
	expect_refused(NULL, ca, &good, "h.example", TLS_VERIFY_SELF_SIGNED);
	cert_ca_free(other);
	OK(cert_make_root("Another Root", now, &other) == 0);
	/* The server shows nothing above the leaf: perhaps it only left out what would lead to
	 * ours. */
	expect_refused(other, ca, &good, "h.example", TLS_VERIFY_INCOMPLETE);
	expect_refused(ca, NULL, &good, "h.example", TLS_VERIFY_INCOMPLETE);
	cert_ca_free(other);
	cert_ca_free(ca);
}

static void test_accepts_certificate_for_address(void)
{
	struct cert_ca *ca = root();
	struct cert_spec v4 = { .host = "10.0.0.1" }, v6 = { .host = "fd00::1" };
	struct cert_spec *specs[] = { &v4, &v6 };

	for (int i = 0; i < 2; i++) {
		struct tls_ctx *s = server_ctx(ca, specs[i], NULL), *c = client_ctx(ca, NULL);
		struct pair p;

		open_pair(&p, c, s, specs[i]->host, 0);
		INT_IS(p.c_err, 0);
		OK(info_of(p.s).sni == NULL);
		close_pair(&p);
		tls_ctx_free(s);
		tls_ctx_free(c);
	}
	cert_ca_free(ca);
}

/* -- Hellos of browsers -- */

/* The bytes of a client's hello. */
static size_t take_hello(struct tls_ctx *c, uint8_t *out, size_t size)
{
	struct tls *t = NULL;
	void *p;
	size_t len;

	OK(tls_new(c, "h.example", NULL, &t) == 0);
	INT_IS(tls_handshake(t), -EAGAIN);
	p = tls_take_output(t, &len);
	OK(len && len <= size);
	memcpy(out, p, len);
	free(p);
	tls_free(t);
	return len;
}

static void put16(uint8_t *p, size_t n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
}

/* Where the length of the hello's extensions stands. */
static size_t extensions_at(const uint8_t *hello)
{
	size_t at = 5 + 4 + 2 + 32;

	at += 1 + (size_t)hello[at];
	at += 2 + ((size_t)hello[at] << 8 | hello[at + 1]);
	return at + 1 + hello[at];
}

/* Adds an extension that nobody knows, of `extra` bytes, as post-quantum key shares are large. */
static size_t grow_hello(uint8_t *hello, size_t len, size_t extra)
{
	size_t at = extensions_at(hello), old = (size_t)hello[at] << 8 | hello[at + 1];

	memmove(hello + at + 2 + 4 + extra, hello + at + 2, len - at - 2);
	put16(hello + at + 2, 0x1a1a);
	put16(hello + at + 4, extra);
	memset(hello + at + 6, 0x55, extra);
	len += 4 + extra;
	put16(hello + at, old + 4 + extra);
	put16(hello + 3, len - 5);
	put16(hello + 7, len - 9);
	return len;
}

/* The server answers with a hello of its own. */
static void expect_answer(struct tls_ctx *s, const uint8_t *hello, size_t len, size_t record)
{
	struct tls *t = NULL;
	uint8_t *out;
	size_t out_len;

	OK(tls_new(s, NULL, NULL, &t) == 0);
	for (size_t at = 5; at < len; at += record) {
		size_t n = len - at < record ? len - at : record;
		uint8_t header[5] = { 22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n };

		INT_IS(tls_handshake(t), -EAGAIN);
		OK(feed(t, header, 5) == 0 && feed(t, hello + at, n) == 0);
	}
	INT_IS(tls_handshake(t), -EAGAIN);
	out = tls_take_output(t, &out_len);
	OK(out_len > 100 && out[0] == 22 && out[5] == 2);
	free(out);
	tls_free(t);
}

static void test_takes_large_hellos_in_any_records(void)
{
	static const size_t extras[] = { 0, 1216, 4000, 12000 };
	uint8_t hello[16384];
	struct site site;

	open_site(&site, 0);
	for (size_t i = 0; i < 4; i++) {
		size_t len = take_hello(site.c, hello, 4096);

		if (extras[i])
			len = grow_hello(hello, len, extras[i]);
		for (size_t record = 16384; record >= 16; record /= 4)
			expect_answer(site.s, hello, len, record);
	}
	close_site(&site);
}

/* -- What both sides lack -- */

static void test_names_a_peer_that_speaks_no_tls(void)
{
	struct site site;
	struct tls *t = NULL;

	open_site(&site, 0);
	OK(tls_new(site.c, "h.example", NULL, &t) == 0);
	INT_IS(tls_handshake(t), -EAGAIN);
	OK(feed(t, "HTTP/1.1 400 Bad Request\r\n\r\n", 28) == 0);
	INT_IS(tls_handshake(t), -EPROTO);
	INT_IS(info_of(t).gap, TLS_GAP_NOT_TLS);
	OK(strstr(info_of(t).error, "does not speak TLS") != NULL);
	tls_free(t);
	close_site(&site);
}

static void expect_gap(const char *alert, enum tls_gap gap)
{
	struct site site;
	struct tls *t = NULL;

	open_site(&site, 0);
	OK(tls_new(site.c, "h.example", NULL, &t) == 0);
	INT_IS(tls_handshake(t), -EAGAIN);
	OK(feed(t, alert, 7) == 0);
	INT_IS(tls_handshake(t), -ECONNABORTED);
	INT_IS(info_of(t).peer_alert, alert[6]);
	INT_IS(info_of(t).gap, gap);
	tls_free(t);
	close_site(&site);
}

static void test_names_what_an_alert_says(void)
{
	expect_gap("\x15\x03\x03\x00\x02\x02\x46", TLS_GAP_VERSION);
	expect_gap("\x15\x03\x03\x00\x02\x02\x28", TLS_GAP_CIPHER);
	expect_gap("\x15\x03\x03\x00\x02\x02\x50", TLS_GAP_NONE);
}

static void test_no_alpn_in_common_fails(void)
{
	static const char *const ours[] = { "h2", NULL };
	static const char *const theirs[] = { "http/1.1", NULL };
	struct cert_ca *ca = root();
	struct cert_spec spec = { .host = "h.example" };
	struct tls_ctx *s = server_ctx(ca, &spec, theirs), *c = client_ctx(ca, ours);
	struct pair p;

	open_pair(&p, c, s, "h.example", 0);
	INT_IS(p.c_err, -ECONNABORTED);
	INT_IS(info_of(p.c).peer_alert, 120);
	close_pair(&p);
	tls_ctx_free(s);
	tls_ctx_free(c);
	cert_ca_free(ca);
}

/* -- Data -- */

static void test_carries_much_in_whole_records(void)
{
	static uint8_t block[1 << 20], got[1 << 20];
	struct site site;
	struct pair p;
	size_t len, have = 0;
	uint8_t *out;
	int n;

	open_site(&site, 0);
	open_pair(&p, site.c, site.s, "h.example", 0);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 31 >> 3);
	OK(tls_write(p.s, block, sizeof(block)) == 0);
	/* Records of 16 KiB: little is added to the bytes. */
	out = tls_take_output(p.s, &len);
	OK(len < sizeof(block) + sizeof(block) / 100);
	for (size_t at = 0; at < len; at += 60000) {
		OK(feed(p.c, out + at, len - at < 60000 ? len - at : 60000) == 0);
		while ((n = tls_read(p.c, got + have, sizeof(got) - have)) > 0)
			have += (size_t)n;
	}
	free(out);
	INT_IS(have, sizeof(got));
	OK(memcmp(block, got, sizeof(got)) == 0);
	close_pair(&p);
	close_site(&site);
}

static void test_changed_byte_ends_the_connection(void)
{
	struct site site;
	struct pair p;
	uint8_t got[128], *out;
	size_t len;

	open_site(&site, 0);
	open_pair(&p, site.c, site.s, "h.example", 0);
	tls_read(p.c, got, sizeof(got));
	OK(tls_write(p.s, "content", 7) == 0);
	out = tls_take_output(p.s, &len);
	out[len - 1] ^= 1;
	OK(tls_feed(p.c, out, len) == 0);
	INT_IS(tls_read(p.c, got, sizeof(got)), -EPROTO);
	INT_IS(tls_write(p.c, "x", 1), -EPROTO);
	close_pair(&p);
	close_site(&site);
}

static void test_end_without_close_notify_is_an_error(void)
{
	struct cert_ca *ca = root();
	struct cert_spec spec = { .host = "h.example" };
	struct tls_ctx *s = server_ctx(ca, &spec, NULL), *c = client_ctx(ca, NULL);
	struct pair p;
	char buf[64];

	open_pair(&p, c, s, "h.example", 0);
	OK(tls_write(p.s, "half", 4) == 0);
	move(p.s, p.c);
	OK(tls_feed(p.c, NULL, 0) == 0);
	INT_IS(tls_read(p.c, buf, sizeof(buf)), 4);
	INT_IS(tls_read(p.c, buf, sizeof(buf)), -ECONNRESET);
	close_pair(&p);
	tls_ctx_free(s);
	tls_ctx_free(c);
	cert_ca_free(ca);
}

static void test_agrees_on_alpn(void)
{
	static const char *const ours[] = { "h2", "http/1.1", NULL };
	static const char *const theirs[] = { "http/1.1", NULL };
	struct cert_ca *ca = root();
	struct cert_spec spec = { .host = "h.example" };
	struct tls_ctx *s = server_ctx(ca, &spec, theirs), *c = client_ctx(ca, ours);
	struct pair p;

	open_pair(&p, c, s, "h.example", 0);
	STR_IS(info_of(p.c).alpn, "http/1.1");
	STR_IS(info_of(p.s).alpn, "http/1.1");
	close_pair(&p);
	tls_ctx_free(s);
	tls_ctx_free(c);
	cert_ca_free(ca);
}

struct chooser {
	struct cert_minter *minter;
	int calls;
	char last[64];
};

static struct tls_cert *on_select(void *data, void *conn_data, const char *sni)
{
	struct chooser *ch = data;

	OK(conn_data == ch);
	ch->calls++;
	snprintf(ch->last, sizeof(ch->last), "%s", sni ? sni : "(none)");
	return sni && strcmp(sni, "refused.example") != 0 ? cert_minter_get(ch->minter, sni) : NULL;
}

static void choose(struct chooser *ch, struct tls_ctx *c, struct tls_ctx *s, const char *name,
	const char *fallback, int want)
{
	struct pair p;

	OK(tls_new(c, name, NULL, &p.c) == 0);
	OK(tls_new(s, fallback, ch, &p.s) == 0);
	shake(&p, 0);
	INT_IS(p.c_err, want);
	close_pair(&p);
}

static void test_chooses_certificate_by_name(void)
{
	struct cert_ca *ca = root(), *inter = NULL;
	struct chooser ch = { 0 };
	struct tls_config cfg = { .is_server = true, .select_cert = on_select, .select_data = &ch };
	struct tls_ctx *c = client_ctx(ca, NULL), *s = NULL;

	OK(cert_make_intermediate(ca, "Gateway", time(NULL), &inter) == 0);
	OK(cert_minter_new(inter, 10, &ch.minter) == 0);
	OK(tls_ctx_new(&cfg, &s) == 0);
	choose(&ch, c, s, "a.example", NULL, 0);
	STR_IS(ch.last, "a.example");
	choose(&ch, c, s, "b.example", "b.example", 0);
	/* SNI goes before the default, and another default is no obstacle. */
	choose(&ch, c, s, "c.example", "d.example", 0);
	STR_IS(ch.last, "c.example");
	/* No SNI: the default. */
	choose(&ch, c, s, "10.1.2.3", "10.1.2.3", 0);
	choose(&ch, c, s, "refused.example", NULL, -ECONNABORTED);
	cert_minter_free(ch.minter);
	tls_ctx_free(s);
	tls_ctx_free(c);
	cert_ca_free(ca);
}

static void test_refuses_garbage(void)
{
	struct cert_ca *ca = root();
	struct cert_spec spec = { .host = "h.example" };
	struct tls_ctx *s = server_ctx(ca, &spec, NULL);
	struct tls *t = NULL;

	OK(tls_new(s, NULL, NULL, &t) == 0);
	INT_IS(tls_handshake(t), -EAGAIN);
	OK(feed(t, "GET / HTTP/1.1\r\n\r\n", 18) == 0);
	INT_IS(tls_handshake(t), -EPROTO);
	INT_IS(tls_handshake(t), -EPROTO);
	tls_free(t);
	tls_ctx_free(s);
	cert_ca_free(ca);
}

static void test_reads_the_systems_bundle(void)
{
	struct tls_config cfg = { .ca_file = "/etc/ssl/certs/ca-certificates.crt" };
	struct tls_config missing = { .ca_file = "/nonexistent" };
	struct tls_ctx *ctx = NULL;

	INT_IS(tls_ctx_new(&missing, &ctx), -ENOENT);
	if (!tls_ctx_new(&cfg, &ctx))
		tls_ctx_free(ctx);
	OK(ctx != NULL);
}

int main(void)
{
	TAP_RUN(test_talks_both_ways);
	TAP_RUN(test_shakes_hands_byte_by_byte);
	TAP_RUN(test_names_why_a_certificate_is_refused);
	TAP_RUN(test_accepts_certificate_for_address);
	TAP_RUN(test_takes_large_hellos_in_any_records);
	TAP_RUN(test_names_a_peer_that_speaks_no_tls);
	TAP_RUN(test_names_what_an_alert_says);
	TAP_RUN(test_no_alpn_in_common_fails);
	TAP_RUN(test_carries_much_in_whole_records);
	TAP_RUN(test_changed_byte_ends_the_connection);
	TAP_RUN(test_end_without_close_notify_is_an_error);
	TAP_RUN(test_agrees_on_alpn);
	TAP_RUN(test_chooses_certificate_by_name);
	TAP_RUN(test_refuses_garbage);
	TAP_RUN(test_reads_the_systems_bundle);
	return tap_done();
}
