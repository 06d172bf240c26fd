/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heads of HTTP/2 to and from the model of HTTP/1.1. */
#include "common/http2_head.h"
#include "common/http_internal.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

/* Fields as name, value, ...; the first error. */
static int take(struct http_head *h, const char *const *fields)
{
	const struct http_limits limits = http_limits_filled(NULL);
	const struct http2_head_in in = { .head = h, .limits = &limits };
	int err = 0;

	http_head_init(h);
	for (; !err && *fields; fields += 2)
		err = http2_head_add(
			&in, fields[0], strlen(fields[0]), fields[1], strlen(fields[1]));
	return err ? err : http2_head_finish_request(h);
}

#define TAKE(h, ...) take(h, (const char *const[]){ __VA_ARGS__, NULL })
#define GET	     ":method", "GET", ":scheme", "https", ":path", "/a?b"

static void test_pseudo_fields_become_target_and_host(void)
{
	struct http_head h;

	INT_IS(TAKE(&h, GET, ":authority", "h.example", "x-a", "1"), 0);
	STR_IS(h.method, "GET");
	STR_IS(h.target, "/a?b");
	STR_IS(http_head_get(&h, "Host"), "h.example");
	INT_IS(h.n_headers, 2);
	http_head_fini(&h);
}

static void test_host_and_authority_must_agree(void)
{
	struct http_head h;

	INT_IS(TAKE(&h, GET, ":authority", "h.example", "host", "H.example"), 0);
	INT_IS(h.n_headers, 1);
	http_head_fini(&h);
	INT_IS(TAKE(&h, GET, ":authority", "h.example", "host", "other.example"), 400);
	http_head_fini(&h);
	INT_IS(TAKE(&h, GET, "host", "h.example", "host", "other.example"), 400);
	http_head_fini(&h);
	INT_IS(TAKE(&h, GET, "x-a", "1"), 400);
	http_head_fini(&h);
}

static void test_crumbs_are_joined(void)
{
	struct http_head h;

	INT_IS(TAKE(&h, GET, "host", "h", "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie",
		       "c=3"),
		0);
	STR_IS(http_head_get(&h, "cookie"), "a=1; b=2; c=3");
	INT_IS(h.n_headers, 3);
	http_head_fini(&h);
}

static void test_targets_with_blanks_or_fragments_are_refused(void)
{
	static const char *const bad[] = { "/a b", "/a#b", "/a\x7f", "" };
	struct http_head h;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		INT_IS(TAKE(&h, ":method", "GET", ":path", bad[i], ":authority", "h"), 400);
		http_head_fini(&h);
	}
}

static void test_limits_hold(void)
{
	static char big[70000];
	struct http_head h;

	memset(big, 'a', sizeof(big) - 1);
	INT_IS(TAKE(&h, ":method", "GET", ":path", big, ":authority", "h"), 431);
	http_head_fini(&h);
	big[20000] = '\0';
	INT_IS(TAKE(&h, ":method", "GET", ":path", big, ":authority", "h"), 414);
	http_head_fini(&h);
	INT_IS(TAKE(&h, GET, "host", "h", "a", big, "b", big, "c", big, "d", big), 431);
	http_head_fini(&h);
}

static void test_extended_connect_is_an_upgrade(void)
{
	struct http_head h;

	INT_IS(TAKE(&h, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path",
		       "/s", ":authority", "h"),
		0);
	STR_IS(h.method, "GET");
	STR_IS(http_head_get(&h, "upgrade"), "websocket");
	OK(http_head_has_token(&h, "connection", "upgrade"));
	OK(!http_head_get(&h, ":protocol"));
	http_head_fini(&h);
	INT_IS(TAKE(&h, ":method", "CONNECT", ":protocol", "connect-udp", ":path", "/s",
		       ":authority", "h"),
		501);
	http_head_fini(&h);
	INT_IS(TAKE(&h, ":method", "CONNECT", ":authority", "h:443"), 0);
	STR_IS(h.target, "h:443");
	http_head_fini(&h);
}

static const char *field(const struct http2_fields *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].namelen == strlen(name) &&
			!strncasecmp((char *)f->v[i].name, name, f->v[i].namelen))
			return (char *)f->v[i].value;
	}
	return NULL;
}

static void test_what_is_the_connections_is_left_out(void)
{
	struct http2_fields f;
	struct http_head h;

	http_head_init(&h);
	http_head_set_status(&h, 200);
	http_head_add(&h, "Connection", "close, x");
	http_head_add(&h, "Transfer-Encoding", "chunked");
	http_head_add(&h, "Upgrade", "h2c");
	http_head_add(&h, "TE", "gzip");
	http_head_add(&h, "Content-Length", "7");
	http_head_add(&h, "X-Kept", "yes");
	INT_IS(http2_fields_make(&f, &h, HTTP2_RESPONSE, 5), 0);
	STR_IS(field(&f, ":status"), "200");
	STR_IS(field(&f, "x-kept"), "yes");
	STR_IS(field(&f, "content-length"), "5");
	OK(field(&f, "date"));
	INT_IS(f.n, 4);
	http2_fields_fini(&f);
	http_head_fini(&h);
}

static void test_requests_have_their_pseudo_fields_first(void)
{
	struct http2_fields f;
	struct http_head h;

	http_head_init(&h);
	http_head_set_request(&h, "GET", "/p");
	http_head_add(&h, "X-A", "1");
	INT_IS(http2_fields_make(&f, &h, HTTP2_REQUEST, UINT64_MAX), -EINVAL);
	http_head_add(&h, "Host", "h.example");
	http_head_add(&h, "TE", "trailers");
	INT_IS(http2_fields_make(&f, &h, HTTP2_REQUEST, UINT64_MAX), 0);
	STR_IS(field(&f, ":authority"), "h.example");
	STR_IS(field(&f, "te"), "trailers");
	OK(!field(&f, "host"));
	INT_IS(f.n, 6);
	http2_fields_fini(&f);
	http_head_fini(&h);
}

int main(void)
{
	TAP_RUN(test_pseudo_fields_become_target_and_host);
	TAP_RUN(test_host_and_authority_must_agree);
	TAP_RUN(test_crumbs_are_joined);
	TAP_RUN(test_targets_with_blanks_or_fragments_are_refused);
	TAP_RUN(test_limits_hold);
	TAP_RUN(test_extended_connect_is_an_upgrade);
	TAP_RUN(test_what_is_the_connections_is_left_out);
	TAP_RUN(test_requests_have_their_pseudo_fields_first);
	return tap_done();
}
