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

	search_form_init(&f);
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
	search_form_init(&f);
	take(&f, "abc=", false, 0, "");
	take(&f, much, false, sizeof(much) + 3, "");
	take(&f, "xyz", false, 3, "");
	take(&f, "xyz&q=", false, 4, "");
	INT_IS(search_form_take(&f, much, sizeof(much) - 1, false, &ready), -EMSGSIZE);
	search_form_fini(&f);
}

int main(void)
{
	TAP_RUN(test_hosts_of_search_engines);
	TAP_RUN(test_what_is_searched_for_is_found);
	TAP_RUN(test_a_key_is_set_once);
	TAP_RUN(test_a_form_goes_on_by_whole_parameters);
	TAP_RUN(test_only_what_is_searched_for_has_a_bound);
	return tap_done();
}
