/* SPDX-License-Identifier: GPL-3.0-or-later */
/* URLs of search engines (SPEC P11). */
#include "proxyd/search_form.h"
#include "proxyd/search_url.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <string.h>

static void test_hosts_of_search_engines(void)
{
	OK(search_is_host("www.google.com") && search_is_host("google.co.uk"));
	OK(search_is_host("images.google.de") && search_is_host("www.bing.com"));
	OK(search_is_host("html.duckduckgo.com") && search_is_host("de.search.yahoo.com"));
	OK(search_is_host("m.youtube.com") && search_is_host("ya.ru"));
	OK(!search_is_host("google.example") && !search_is_host("notbing.com"));
	OK(!search_is_host("www.yahoo.com") && !search_is_host("example.com"));
}

static void texts(const char *path, int count, const char *want)
{
	struct buf b;

	buf_init(&b, 0);
	INT_IS(search_texts(path, &b), count);
	buf_append(&b, "", 0);
	STR_IS((char *)b.data, want);
	buf_fini(&b);
}

static void test_what_is_searched_for_is_found(void)
{
	texts("/search?q=two+words&hl=en", 1, "two words\n");
	texts("/s?hl=en&query=a%20b%C3%A9&p=c", 2, "a b\xc3\xa9\nc\n");
	texts("/s?Q=x;text=y#q=z", 2, "x\ny\n");
	texts("/s?%71=x&search=%2", 2, "x\n%2\n");
	texts("/s?q=%zz%4&q=a%00b", 2, "%zz%4\na b\n");
	texts("/q=x", 0, "");
	texts("/#?q=x", 0, "");
	texts("/s?", 0, "");
	texts("/s?q=&q&other=q&", 0, "");
	texts("/s?&&q=x", 1, "x\n");
}

static void path_texts(const char *host, const char *path, int count, const char *want)
{
	struct buf b;

	buf_init(&b, 0);
	INT_IS(search_path_texts(host, path, &b), count);
	STR_IS(b.len ? (char *)b.data : "", want);
	buf_fini(&b);
}

static void test_paths_that_search_are_found(void)
{
	path_texts("www.youtube.com", "/hashtag/two-words?x=y", 1, "two-words\ntwo words\n");
	path_texts("www.startpage.com", "/do/search/a%20b/c", 1, "a b\na b\n");
	path_texts("duckduckgo.com", "/kick_ass?ia=web", 1, "kick_ass\nkick ass\n");
	path_texts("start.duckduckgo.com", "/x", 1, "x\nx\n");
	path_texts("duckduckgo.com", "/dist/x", 0, "");
	path_texts("duckduckgo.com", "/d.js?q=x", 0, "");
	path_texts("www.google.com", "/ass/search", 0, "");
	path_texts("www.google.com", "/search?q=/search/x", 0, "");
	path_texts("notduckduckgo.com", "", 0, "");
}

static void set(const char *path, const char *want)
{
	struct buf b;

	buf_init(&b, 0);
	INT_IS(search_set(path, "safe", "active", &b), 0);
	STR_IS((char *)b.data, want);
	buf_fini(&b);
}

static void test_a_key_is_set_once(void)
{
	set("/search?q=x", "/search?q=x&safe=active");
	set("/search?safe=off&q=x&SAFE=images&%73afe=0", "/search?q=x&safe=active");
	set("/search", "/search?safe=active");
	set("/search?", "/search?safe=active");
	set("/search?safe", "/search?safe=active");
	set("/search?q=a;safe=off", "/search?q=a&safe=active");
	set("/search?unsafe=1&q=%26safe=off", "/search?unsafe=1&q=%26safe=off&safe=active");
}

/* Takes one piece of a form; how much of it may go on, and what is searched for by that. */
static void take(
	struct search_form *f, const char *piece, bool is_last, size_t want, const char *want_texts)
{
	struct buf texts;
	size_t ready;

	buf_init(&texts, 0);
	INT_IS(search_form_take(f, piece, strlen(piece), is_last, &ready), 0);
	INT_IS((int)ready, (int)want);
	OK(search_form_texts(f, ready, &texts) >= 0);
	STR_IS(texts.len ? (char *)texts.data : "", want_texts);
	buf_consume(&f->held, ready);
	buf_fini(&texts);
}

static void test_a_form_goes_on_by_whole_parameters(void)
{
	struct search_form f;

	INT_IS(search_form_init(&f, "application/x-www-form-urlencoded; charset=utf-8"), 0);
	take(&f, "a=1&q=two", false, 4, "");
	take(&f, "+words", false, 0, "");
	take(&f, ";b=#&%71=x?y", false, 16, "two words\n");
	take(&f, "", true, 7, "x?y\n");
	search_form_fini(&f);
}

static void test_only_what_is_searched_for_has_a_bound(void)
{
	static char much[SEARCH_FORM_HELD_MAX + 1];
	struct search_form f;
	size_t ready;

	memset(much, 'x', sizeof(much) - 1);
	INT_IS(search_form_init(&f, "application/x-www-form-urlencoded; charset=utf-8"), 0);
	take(&f, "abc=", false, 0, "");
	take(&f, much, false, sizeof(much) + 3, "");
	take(&f, "xyz", false, 3, "");
	take(&f, "xyz&q=", false, 4, "");
	INT_IS(search_form_take(&f, much, sizeof(much) - 1, false, &ready), -EMSGSIZE);
	search_form_fini(&f);
}

static void test_json_that_searches_is_held_back(void)
{
	static const char body[] = "{\"a\":\"no\",\"Query\":[\"one\",\"t\\u0077o\\n\"],\"x\":"
				   "{\"q\" : \"say \\\"hi\\\"\"},\"y\":\"no\"}";
	struct search_form f;

	INT_IS(search_form_init(&f, "application/json"), 0);
	take(&f, body, false, 0, "");
	take(&f, "", true, sizeof(body) - 1, "one\ntwo\n\nsay \"hi\"\n");
	search_form_fini(&f);
	INT_IS(search_form_init(&f, "application/json"), 0);
	take(&f, "{\"q\":\"cut of", true, 12, "cut of\n");
	search_form_fini(&f);
	INT_IS(search_form_init(&f, "text/html"), -ENOENT);
}

static void test_fields_of_a_form_in_parts_are_held_back(void)
{
	static const char body[] =
		"--B\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nno\r\n"
		"--B\r\ncontent-disposition: form-data; Name=\"q\"\r\n\r\ntwo words\r\n"
		"--B\r\nContent-Disposition: form-data; name=\"q\"; filename=\"f\"\r\n\r\nno\r\n"
		"--B--\r\n";
	struct search_form f;

	INT_IS(search_form_init(&f, "multipart/form-data; boundary=\"B\""), 0);
	take(&f, body, false, 0, "");
	take(&f, "", true, sizeof(body) - 1, "two words\n");
	search_form_fini(&f);
	INT_IS(search_form_init(&f, "multipart/form-data"), -ENOENT);
}

static void test_long_bodies_go_on_piece_by_piece(void)
{
	static char much[SEARCH_FORM_HELD_MAX + 1];
	struct search_form f;

	memset(much, 'x', sizeof(much) - 1);
	INT_IS(search_form_init(&f, "application/json"), 0);
	take(&f, "{\"q\":\"a\"", false, 0, "");
	take(&f, much, false, sizeof(much) + 7, "a\n");
	take(&f, ",\"q\":\"b\"}", true, 9, "b\n");
	search_form_fini(&f);
}

int main(void)
{
	TAP_RUN(test_hosts_of_search_engines);
	TAP_RUN(test_what_is_searched_for_is_found);
	TAP_RUN(test_paths_that_search_are_found);
	TAP_RUN(test_a_key_is_set_once);
	TAP_RUN(test_a_form_goes_on_by_whole_parameters);
	TAP_RUN(test_only_what_is_searched_for_has_a_bound);
	TAP_RUN(test_json_that_searches_is_held_back);
	TAP_RUN(test_fields_of_a_form_in_parts_are_held_back);
	TAP_RUN(test_long_bodies_go_on_piece_by_piece);
	return tap_done();
}
