/* SPDX-License-Identifier: GPL-3.0-or-later */
/* URLs of search engines (SPEC P11). */
#include "proxyd/search_url.h"
#include "tests/unit/tap.h"

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

int main(void)
{
	TAP_RUN(test_hosts_of_search_engines);
	TAP_RUN(test_what_is_searched_for_is_found);
	TAP_RUN(test_a_key_is_set_once);
	return tap_done();
}
