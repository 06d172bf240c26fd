/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P7: the pages proxyd answers with itself; http_server.c is replaced by a request that keeps
 * what it was answered with. */
#include <stdlib.h>

#include "proxyd/blocked.h"
#include "tests/unit/tap.h"

struct http_request {
	struct http_head head;
	int status;
	char type[64], body[16384], csp[256], cache[64];
	size_t len;
};

const struct http_head *http_request_head(const struct http_request *req)
{
	return &req->head;
}

static void keep(char *out, size_t size, const struct http_head *head, const char *name)
{
	const char *value = http_head_get(head, name);

	snprintf(out, size, "%s", value ? value : "");
}

int http_respond_with(struct http_request *req, int status, const struct http_head *extra,
	const char *content_type, const void *body, size_t len)
{
	req->status = status;
	snprintf(req->type, sizeof(req->type), "%s", content_type);
	keep(req->csp, sizeof(req->csp), extra, "Content-Security-Policy");
	keep(req->cache, sizeof(req->cache), extra, "Cache-Control");
	req->len = len;
	OK(len < sizeof(req->body));
	memcpy(req->body, body, len);
	req->body[len] = '\0';
	return 0;
}

static void init(struct http_request *req, const char *name, const char *value)
{
	memset(req, 0, sizeof(*req));
	http_head_init(&req->head);
	http_head_set_request(&req->head, "GET", "/");
	if (name)
		http_head_add(&req->head, name, value);
}

static struct pages pages; /* English alone */

static int send_blocked(struct http_request *req, const struct decision *d, const char *url)
{
	const struct blocked b = { url, "a.example", "", "/.kvylock/appeal" };

	return blocked_send(&pages, req, d, &b);
}

static struct decision blocked(enum reason reason)
{
	return (struct decision){ .verdict = VERDICT_BLOCK,
		.reason = reason,
		.rule = "RULE",
		.list = "ID",
		.list_title = "LIST",
		.category = "CATEGORY" };
}

static void test_each_reason_is_named(void)
{
	static const struct {
		enum reason reason;
		const char *word;
	} rows[] = { { REASON_SECURITY, "category CATEGORY." },
		{ REASON_FORCED_CATEGORY, "category CATEGORY." },
		{ REASON_BLOCKED_CATEGORY, "category CATEGORY." }, { REASON_LIST, "list LIST." },
		{ REASON_SWITCH, "switched off (RULE)." }, { REASON_SNI_BLOCK, "rule RULE." },
		{ REASON_OVERRIDE, "rule RULE." }, { REASON_NO_POLICY, "no rules yet" },
		{ REASON_DEFAULT, "is blocked." } };
	struct http_request req;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct decision d = blocked(rows[i].reason);

		init(&req, NULL, NULL);
		INT_IS(send_blocked(&req, &d, "https://a.example/"), 0);
		INT_IS(req.status, 451);
		OK(strstr(req.body, rows[i].word));
		OK(strstr(req.body, "<h1>Site Blocked</h1>"));
		http_head_fini(&req.head);
	}
}

static void test_unknown_site_is_not_reviewed(void)
{
	struct decision d = { .verdict = VERDICT_UNKNOWN,
		.reason = REASON_UNKNOWN,
		.rule = "",
		.list = "",
		.category = "" };
	struct http_request req;

	init(&req, NULL, NULL);
	send_blocked(&req, &d, "https://a.example/");
	OK(strstr(req.body, "<h1>Site Not Reviewed</h1>"));
	OK(strstr(req.body, "This website has not been reviewed yet."));
	STR_IS(req.cache, "no-store");
	http_head_fini(&req.head);
}

static void test_everything_shown_is_escaped(void)
{
	struct decision d = blocked(REASON_LIST);
	struct http_request req;

	d.list_title = "<b>&\"'";
	init(&req, NULL, NULL);
	send_blocked(&req, &d, "https://a.example/?<script>'\"&");
	OK(!strstr(req.body, "<b>"));
	OK(!strstr(req.body, "<script>"));
	OK(strstr(req.body, "&lt;b&gt;&amp;&quot;&#39;"));
	OK(strstr(req.body, "?&lt;script&gt;&#39;&quot;&amp;<"));
	http_head_fini(&req.head);
}

static void test_long_url_is_cut(void)
{
	struct http_request req;
	char url[2000];

	memset(url, 'a', sizeof(url) - 1);
	url[sizeof(url) - 1] = '\0';
	init(&req, NULL, NULL);
	page_send_error(&pages, &req, 502, "Title", "Message.", url);
	OK(req.len < 6000);
	OK(strstr(req.body, "a…</span>"));
	http_head_fini(&req.head);
}

static void test_style_is_allowed_by_a_nonce_of_its_own(void)
{
	struct http_request req;
	char first[256];

	init(&req, NULL, NULL);
	page_send_error(&pages, &req, 502, "Title", "Message.", "u");
	snprintf(first, sizeof(first), "%s", req.csp);
	OK(!strncmp(first, "default-src 'none'; style-src 'nonce-", 37));
	page_send_error(&pages, &req, 502, "Title", "Message.", "u");
	OK(strcmp(first, req.csp) != 0);
	http_head_fini(&req.head);
}

static void test_what_is_no_page_gets_its_own_type(void)
{
	static const struct {
		const char *name, *value, *type;
	} rows[] = { { "Sec-Fetch-Dest", "image", "image/gif" },
		{ "Sec-Fetch-Dest", "script", "text/javascript" },
		{ "Sec-Fetch-Dest", "style", "text/css" },
		{ "Sec-Fetch-Dest", "font", "font/woff2" },
		{ "Sec-Fetch-Dest", "empty", "application/json" },
		{ "Sec-Fetch-Dest", "document", "text/html; charset=utf-8" },
		{ "Accept", "image/png", "image/gif" }, { "Accept", "text/css", "text/css" },
		{ "Accept", "application/json", "application/json" },
		{ "Accept", "text/html", "text/html; charset=utf-8" },
		{ "Accept", "*/*", "text/html; charset=utf-8" } };
	struct decision d = blocked(REASON_LIST);
	struct http_request req;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		init(&req, rows[i].name, rows[i].value);
		send_blocked(&req, &d, "u");
		INT_IS(req.status, 451);
		STR_IS(req.type, rows[i].type);
		http_head_fini(&req.head);
	}
}

static void test_a_name_tells_where_headers_do_not(void)
{
	static const struct {
		const char *target, *type;
	} rows[] = { { "/a.PNG?x=.js", "image/gif" },
		{ "http://a.example/b/c.js", "text/javascript" }, { "/d.css", "text/css" },
		{ "/e.json", "application/json" }, { "/", "text/html; charset=utf-8" },
		{ "/a.png/", "text/html; charset=utf-8" },
		{ "/a.png/b", "text/html; charset=utf-8" },
		{ "/a.html", "text/html; charset=utf-8" }, { "/png", "text/html; charset=utf-8" },
		{ "/.", "text/html; charset=utf-8" },
		{ "/a.averyverylongend", "text/html; charset=utf-8" } };
	struct decision d = blocked(REASON_LIST);
	struct http_request req;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (int with = 0; with < 2; with++) {
			init(&req, with ? "Accept" : NULL, "*/*");
			http_head_set_request(&req.head, "GET", rows[i].target);
			send_blocked(&req, &d, "u");
			STR_IS(req.type, rows[i].type);
			http_head_fini(&req.head);
		}
	}
}

static void test_image_is_a_gif_of_one_pixel(void)
{
	struct decision d = blocked(REASON_LIST);
	struct http_request req;

	init(&req, "Sec-Fetch-Dest", "image");
	send_blocked(&req, &d, "u");
	OK(!memcmp(req.body, "GIF89a\1\0\1\0", 10));
	INT_IS(req.body[req.len - 1], ';');
	http_head_fini(&req.head);
}

int main(void)
{
	if (pages_open(&pages, "", "", "en"))
		return 1;
	TAP_RUN(test_each_reason_is_named);
	TAP_RUN(test_unknown_site_is_not_reviewed);
	TAP_RUN(test_everything_shown_is_escaped);
	TAP_RUN(test_long_url_is_cut);
	TAP_RUN(test_style_is_allowed_by_a_nonce_of_its_own);
	TAP_RUN(test_what_is_no_page_gets_its_own_type);
	TAP_RUN(test_a_name_tells_where_headers_do_not);
	TAP_RUN(test_image_is_a_gif_of_one_pixel);
	pages_fini(&pages);
	return tap_done();
}
