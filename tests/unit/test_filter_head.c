/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heads around a filtered body (SPEC P9: validators, Range, codings), and scripts that keep their
 * bytes. */
#include "proxyd/filter_head.h"
#include "proxyd/integrity.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

#define TERMS 0x0123456789abcdefULL

static const char *header(const struct http_head *h, const char *name)
{
	const char *value = http_head_get(h, name);

	return value ? value : "(none)";
}

/* `name: from` of a request becomes. */
static void check_request(
	const char *name, const char *from, const char *want, uint64_t want_marked)
{
	static const uint64_t fingerprints[] = { 7, TERMS };
	struct http_head h;
	uint64_t marked;

	http_head_init(&h);
	http_head_add(&h, name, from);
	INT_IS(filter_head_request(&h, fingerprints, 2, &marked), 0);
	STR_IS(header(&h, name), want);
	OK(marked == want_marked);
	http_head_fini(&h);
}

static void test_only_validators_of_the_terms_in_force_go_on(void)
{
	check_request("If-None-Match", "\"a\"", "(none)", 0);
	check_request("If-None-Match", "*", "(none)", 0);
	check_request("If-None-Match", "W/\"a.cv-0123456789abcdefs\"", "\"a\"", TERMS);
	check_request("If-None-Match", "W/\"a.cv-0123456789abcdefw\"", "W/\"a\"", TERMS);
	check_request("If-None-Match", "W/\"a.cv-0000000000000007s\"", "\"a\"", 7);
	check_request("If-None-Match", "W/\"a.cv-0000000000000008s\"", "(none)", 0);
	check_request("If-None-Match", "\"x\", W/\"a,b.cv-0123456789abcdefs\" ,W/\"y\"", "\"a,b\"",
		TERMS);
	check_request("If-None-Match", "W/\".cv-0123456789abcdefs\"", "\"\"", TERMS);
	check_request("If-None-Match", "\"a.cv-0123456789abcdefs\"", "(none)", 0);
	check_request("If-None-Match", "W/\"cut", "(none)", 0);
	check_request("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", "(none)", 0);
}

static void test_changes_carry_the_servers_tag_again(void)
{
	check_request("If-Match", "*", "*", 0);
	check_request("If-Match", "\"x\", W/\"a.cv-00000000000000aas\"", "\"x\", \"a\"", 0);
}

static void test_only_codings_that_can_be_undone_are_asked_for(void)
{
	check_request("Accept-Encoding", "gzip, deflate, br, zstd", "gzip, deflate, br, zstd", 0);
	check_request(
		"Accept-Encoding", "dcb, gzip;q=0.5 , *;q=0, identity", "gzip;q=0.5 , identity", 0);
	check_request("Accept-Encoding", "compress", "identity", 0);
	check_request("Accept-Encoding", "", "identity", 0);
	check_request("Available-Dictionary", ":x:", "(none)", 0);
}

static void check_mark(const char *tag, const char *want)
{
	struct http_head h;

	http_head_init(&h);
	http_head_add(&h, "ETag", tag);
	INT_IS(filter_head_mark(&h, TERMS), 0);
	STR_IS(header(&h, "ETag"), want);
	http_head_fini(&h);
}

static void test_a_tag_is_marked_and_weak(void)
{
	check_mark("\"a\"", "W/\"a.cv-0123456789abcdefs\"");
	check_mark("W/\"a\"", "W/\"a.cv-0123456789abcdefw\"");
	check_mark("a", "(none)");
	check_mark("\"a\" x", "(none)");
}

static void test_what_is_not_true_any_more_goes(void)
{
	static const char *const names[] = { "Last-Modified", "Accept-Ranges", "Content-MD5",
		"Digest", "Content-Digest", "Repr-Digest", "Content-Encoding" };
	struct http_head h;

	http_head_init(&h);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		http_head_add(&h, names[i], "x");
	http_head_add(&h, "Cache-Control", "no-transform");
	INT_IS(filter_head_answer(&h, TERMS, NULL), 0);
	INT_IS(h.n_headers, 1);
	INT_IS(filter_head_answer(&h, TERMS, "br"), 0);
	STR_IS(header(&h, "Content-Encoding"), "br");
	http_head_fini(&h);
}

static void check_coding(const char *accepted, int want)
{
	static const enum body_coding codings[] = { CODING_GZIP, CODING_BR };
	const enum body_coding *got;
	struct http_head h;

	http_head_init(&h);
	http_head_add(&h, "Accept-Encoding", accepted);
	got = filter_head_coding(&h, codings, 2);
	INT_IS(got ? (int)*got : -1, want);
	http_head_fini(&h);
}

static void test_the_answer_has_the_last_coding_if_the_client_takes_it(void)
{
	check_coding("gzip, br", CODING_BR);
	check_coding("BR;q=0.1", CODING_BR);
	check_coding("gzip", -1);
	check_coding("br;q=0, gzip;q=1", -1);
	check_coding("br; q=0.000", -1);
	check_coding("*", -1);
}

static enum media_kind kind(const char *dest, const char *type, bool nosniff)
{
	struct http_head request, answer;
	enum media_kind k;

	http_head_init(&request);
	http_head_init(&answer);
	if (dest)
		http_head_add(&request, "Sec-Fetch-Dest", dest);
	if (type)
		http_head_add(&answer, "Content-Type", type);
	if (nosniff)
		http_head_add(&answer, "X-Content-Type-Options", "nosniff");
	k = filter_head_kind(&request, &answer);
	http_head_fini(&request);
	http_head_fini(&answer);
	return k;
}

static void test_what_a_body_is(void)
{
	INT_IS(kind(NULL, "text/html; charset=x", false), MEDIA_HTML);
	INT_IS(kind(NULL, " Application/LD+JSON", false), MEDIA_JSON);
	INT_IS(kind(NULL, "image/png, text/html; a=\"b,c\", nonsense, */*", false), MEDIA_HTML);
	INT_IS(kind(NULL, "text/html, x/y; a=\"\\\", text/html", false), MEDIA_OTHER);
	INT_IS(kind("document", "text/xml; charset=utf-8", false), MEDIA_XHTML);
	INT_IS(kind("iframe", "application/Atom+XML", false), MEDIA_XHTML);
	INT_IS(kind("document", "image/svg+xml", false), MEDIA_IMAGE);
	INT_IS(kind("empty", "application/xml", false), MEDIA_OTHER);
	INT_IS(kind(NULL, "nonsense", false), MEDIA_HTML);
	INT_IS(kind(NULL, "nonsense", true), MEDIA_OTHER);
	INT_IS(kind("script", "application/octet-stream", false), MEDIA_JS);
	INT_IS(kind("script", "text/plain", true), MEDIA_JS);
	INT_IS(kind("script", "application/json", false), MEDIA_JSON);
	INT_IS(kind("empty", "text/plain", false), MEDIA_OTHER);
	INT_IS(kind("iframe", "text/plain", false), MEDIA_TEXT);
	INT_IS(kind(NULL, NULL, false), MEDIA_HTML);
	INT_IS(kind("document", NULL, true), MEDIA_OTHER);
	INT_IS(kind("script", NULL, false), MEDIA_JS);
	INT_IS(kind(NULL, "image/avif", false), MEDIA_IMAGE);
	INT_IS(kind(NULL, "text/javascriptx", false), MEDIA_OTHER);
}

static void test_scripts_with_integrity_are_known(void)
{
	struct integrity *i = malloc(sizeof(*i));

	INT_IS(integrity_init(i), 0);
	OK(!integrity_has(i, "a.example", "/x/app.js"));
	integrity_add(i, "a.example", "", "x/app.js#f");
	OK(integrity_has(i, "a.example", "/x/app.js"));
	OK(!integrity_has(i, "b.example", "/x/app.js"));
	OK(!integrity_has(i, "a.example", "/x/app.js?v=2"));
	integrity_add(i, "a.example", "", "//CDN.example:8443/lib/v.js?v=2");
	OK(integrity_has(i, "cdn.example", "/lib/v.js?v=2"));
	integrity_add(i, "a.example", "https://base.example/dir/", "based.js");
	OK(integrity_has(i, "base.example", "/dir/based.js"));
	integrity_add(i, "a.example", "https://base.example/dir/", " /root.js?a=b/c");
	OK(integrity_has(i, "base.example", "/root.js?a=b/c"));
	free(i);
}

static void test_the_memory_of_scripts_keeps_the_newest(void)
{
	struct integrity *i = malloc(sizeof(*i));
	size_t known = 0;
	char url[32];

	INT_IS(integrity_init(i), 0);
	for (int n = 0; n < 100000; n++) {
		snprintf(url, sizeof(url), "/%d.js", n);
		integrity_add(i, "a.example", "", url);
		OK(integrity_has(i, "a.example", url));
	}
	for (int n = 99000; n < 100000; n++) {
		snprintf(url, sizeof(url), "/%d.js", n);
		known += integrity_has(i, "a.example", url);
	}
	OK(known > 900);
	free(i);
}

int main(void)
{
	TAP_RUN(test_only_validators_of_the_terms_in_force_go_on);
	TAP_RUN(test_changes_carry_the_servers_tag_again);
	TAP_RUN(test_only_codings_that_can_be_undone_are_asked_for);
	TAP_RUN(test_a_tag_is_marked_and_weak);
	TAP_RUN(test_what_is_not_true_any_more_goes);
	TAP_RUN(test_the_answer_has_the_last_coding_if_the_client_takes_it);
	TAP_RUN(test_what_a_body_is);
	TAP_RUN(test_scripts_with_integrity_are_known);
	TAP_RUN(test_the_memory_of_scripts_keeps_the_newest);
	return tap_done();
}
