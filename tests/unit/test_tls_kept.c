/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What TLS keeps between connections: tickets, sessions, verified chains (SPEC P2). Every end is
 * come to by setting the clock forth. */
#include <errno.h>
#include <time.h>

#include "common/cert.h"
#include "common/tls.h"
#include "tests/unit/tap.h"
#include "tests/unit/tls_pair.h"

#define HOUR 3600

static void test_resumes_by_ticket_for_the_same_name_only(void)
{
	struct cert_ca *ca = root();
	struct cert_spec spec = { .host = "h.example" };
	struct tls_ctx *s = server_ctx(ca, &spec, NULL), *c = client_ctx(ca, NULL);
	struct pair p;
	char b[8];

	for (int i = 0; i < 3; i++) {
		open_pair(&p, c, s, "h.example", 0);
		INT_IS(p.c_err, 0);
		INT_IS(info_of(p.c).resumed, i > 0);
		INT_IS(info_of(p.s).resumed, i > 0);
		tls_read(p.c, b, sizeof(b));
		close_pair(&p);
	}
	/* Another name must be verified anew, and fail. */
	open_pair(&p, c, s, "other.example", 0);
	INT_IS(p.c_err, -EBADMSG);
	close_pair(&p);
	tls_ctx_free(s);
	tls_ctx_free(c);
	cert_ca_free(ca);
}

/* A connection with its tickets taken; what the client says of it. Strings in it are gone. */
static struct tls_info visit(struct site *site, const char *name)
{
	struct tls_info info;
	struct pair p;
	char b[8];

	open_pair(&p, site->c, site->s, name, 0);
	tls_read(p.c, b, sizeof(b));
	info = info_of(p.c);
	OK(p.c_err || info_of(p.s).resumed == info.resumed);
	close_pair(&p);
	return info;
}

static void test_session_is_kept_for_an_hour(void)
{
	struct site site;

	open_site(&site, 0);
	OK(!visit(&site, "h.example").resumed);
	clock_offset = HOUR - 60;
	OK(visit(&site, "h.example").resumed);
	clock_offset = 2 * HOUR - 30;
	OK(!visit(&site, "h.example").resumed);
	OK(visit(&site, "h.example").resumed);
	close_site(&site);
}

static void test_session_ends_with_the_certificate(void)
{
	struct site site;

	open_site(&site, time(NULL) + 600);
	OK(!visit(&site, "h.example").resumed);
	OK(visit(&site, "h.example").resumed);
	clock_offset = 700;
	INT_IS(visit(&site, "h.example").verify, TLS_VERIFY_EXPIRED);
	close_site(&site);
}

static void test_sessions_are_bounded(void)
{
	struct site site;
	struct tls_config cfg = { .session_cache = 1 };

	open_site(&site, 0);
	tls_ctx_free(site.c);
	cfg.ca_pem = cert_ca_pem(site.ca);
	OK(tls_ctx_new(&cfg, &site.c) == 0);
	visit(&site, "h.example");
	/* Refused, and so not kept in the place of the one that is. */
	INT_IS(visit(&site, "other.example").verify, TLS_VERIFY_WRONG_NAME);
	OK(visit(&site, "h.example").resumed);
	close_site(&site);
}

static void test_session_of_a_context_is_its_own(void)
{
	struct site site;
	struct tls_ctx *first;

	open_site(&site, 0);
	visit(&site, "h.example");
	first = site.c;
	site.c = client_ctx(site.ca, NULL);
	OK(!visit(&site, "h.example").resumed);
	tls_ctx_free(first);
	close_site(&site);
}

static void test_ticket_of_the_key_before_is_taken(void)
{
	struct site site;

	open_site(&site, 0);
	/* The first key is made, or was when the context was. */
	visit(&site, "h.example");
	clock_offset = 2 * HOUR - 60;
	OK(!visit(&site, "h.example").resumed);
	/* Another one is in use. */
	clock_offset = 2 * HOUR + 60;
	OK(visit(&site, "h.example").resumed);
	close_site(&site);
}

static void test_old_ticket_is_refused_by_the_server(void)
{
	struct site site;

	open_site(&site, 0);
	visit(&site, "h.example");
	server_offset = 5 * HOUR;
	OK(!visit(&site, "h.example").resumed);
	OK(visit(&site, "h.example").resumed);
	close_site(&site);
}

/* A client without sessions, so that every connection shows the chain. */
static void open_chain_site(struct site *site, time_t not_after)
{
	struct tls_config cfg = { .chain_cache = 4 };

	open_site(site, not_after);
	tls_ctx_free(site->c);
	cfg.ca_pem = cert_ca_pem(site->ca);
	OK(tls_ctx_new(&cfg, &site->c) == 0);
}

static void test_verified_chain_is_remembered_for_its_name(void)
{
	struct site site;

	open_chain_site(&site, 0);
	OK(!visit(&site, "h.example").chain_known);
	OK(visit(&site, "h.example").chain_known);
	INT_IS(visit(&site, "other.example").verify, TLS_VERIFY_WRONG_NAME);
	/* A refused one is not remembered as if it were good. */
	INT_IS(visit(&site, "other.example").verify, TLS_VERIFY_WRONG_NAME);
	OK(visit(&site, "h.example").chain_known);
	close_site(&site);
}

static void test_verified_chain_is_looked_at_anew_after_an_hour(void)
{
	struct site site;

	open_chain_site(&site, 0);
	visit(&site, "h.example");
	clock_offset = HOUR - 60;
	OK(visit(&site, "h.example").chain_known);
	clock_offset = HOUR + 60;
	OK(!visit(&site, "h.example").chain_known);
	close_site(&site);
}

static void test_verified_chain_ends_with_its_certificate(void)
{
	struct site site;

	open_chain_site(&site, time(NULL) + 600);
	visit(&site, "h.example");
	OK(visit(&site, "h.example").chain_known);
	clock_offset = 700;
	INT_IS(visit(&site, "h.example").verify, TLS_VERIFY_EXPIRED);
	close_site(&site);
}

static void test_verified_chain_is_for_one_set_of_authorities(void)
{
	struct site site;
	struct cert_ca *other = NULL;
	struct tls_config cfg = { .chain_cache = 4 };

	open_chain_site(&site, 0);
	visit(&site, "h.example");
	tls_ctx_free(site.c);
	OK(cert_make_root("Another Root", time(NULL), &other) == 0);
	cfg.ca_pem = cert_ca_pem(other);
	OK(tls_ctx_new(&cfg, &site.c) == 0);
	INT_IS(visit(&site, "h.example").verify, TLS_VERIFY_INCOMPLETE);
	cert_ca_free(other);
	close_site(&site);
}

int main(void)
{
	TAP_RUN(test_resumes_by_ticket_for_the_same_name_only);
	TAP_RUN(test_session_is_kept_for_an_hour);
	TAP_RUN(test_session_ends_with_the_certificate);
	TAP_RUN(test_sessions_are_bounded);
	TAP_RUN(test_session_of_a_context_is_its_own);
	TAP_RUN(test_ticket_of_the_key_before_is_taken);
	TAP_RUN(test_old_ticket_is_refused_by_the_server);
	TAP_RUN(test_verified_chain_is_remembered_for_its_name);
	TAP_RUN(test_verified_chain_is_looked_at_anew_after_an_hour);
	TAP_RUN(test_verified_chain_ends_with_its_certificate);
	TAP_RUN(test_verified_chain_is_for_one_set_of_authorities);
	return tap_done();
}
