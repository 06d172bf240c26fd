/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/base64url.h"
#include "apid/uri.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdlib.h>

static struct uri u;

static void test_takes_path_and_query_apart(void)
{
	INT_IS(uri_parse("/api/v1/devices/a%20b%2Fc?q=x+y%26&limit=5&flag", &u), 0);
	INT_IS(u.n_segments, 4);
	STR_IS(u.segments[0], "api");
	STR_IS(u.segments[3], "a b/c");
	INT_IS(u.n_params, 3);
	STR_IS(uri_param(&u, "q"), "x y&");
	STR_IS(uri_param(&u, "limit"), "5");
	STR_IS(uri_param(&u, "flag"), "");
	OK(!uri_param(&u, "other"));
}

static void test_root_has_no_segment(void)
{
	INT_IS(uri_parse("/", &u), 0);
	INT_IS(u.n_segments, 0);
	INT_IS(uri_parse("http://host", &u), 0);
	INT_IS(u.n_segments, 0);
	INT_IS(uri_parse("https://host:8443/a?b=c", &u), 0);
	INT_IS(u.n_segments, 1);
	STR_IS(uri_param(&u, "b"), "c");
	INT_IS(uri_parse("/?x", &u), 0);
	INT_IS(u.n_segments, 0);
}

static void test_empty_segments_stay(void)
{
	INT_IS(uri_parse("//a//", &u), 0);
	INT_IS(u.n_segments, 4);
	STR_IS(u.segments[0], "");
	STR_IS(u.segments[1], "a");
	STR_IS(u.segments[3], "");
	INT_IS(uri_parse("/a/", &u), 0);
	INT_IS(u.n_segments, 2);
}

static void test_rejects_what_is_malformed(void)
{
	static const char *const bad[] = { "", "*", "a", "?x", "/%", "/%4", "/%zz", "/%00", "/%ff",
		"/%c0%af", "/%ed%a0%80", "/?a=%", "/?%00=1", "/%f5%80%80%80" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (uri_parse(bad[i], &u) != -EINVAL)
			printf("# %s\n", bad[i]);
		INT_IS(uri_parse(bad[i], &u), -EINVAL);
	}
}

static void test_rejects_what_is_beyond_a_limit(void)
{
	char text[URI_MAX + 8];

	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[sizeof(text) - 1] = '\0';
	INT_IS(uri_parse(text, &u), -ENAMETOOLONG);
	text[URI_MAX - 2] = '\0';
	INT_IS(uri_parse(text, &u), 0);
	INT_IS(uri_parse("/1/2/3/4/5/6/7/8/9/10/11/12/13", &u), -ENAMETOOLONG);
	text[0] = '\0';
	strcat(text, "/?");
	for (int i = 0; i < URI_PARAMS_MAX + 1; i++)
		strcat(text, "a=b&");
	INT_IS(uri_parse(text, &u), -ENAMETOOLONG);
}

static void test_base64url_is_canonical(void)
{
	static const uint8_t data[] = { 0xfb, 0xff, 0x01, 0x80 };
	char text[BASE64URL_LEN(sizeof(data)) + 1];
	uint8_t back[sizeof(data)];

	base64url_format(data, sizeof(data), text);
	STR_IS(text, "-_8BgA");
	INT_IS(base64url_parse(text, strlen(text), back, sizeof(back)), 0);
	OK(!memcmp(back, data, sizeof(data)));
	INT_IS(base64url_parse("-_8BgB", 6, back, sizeof(back)), -EINVAL);
	INT_IS(base64url_parse("-_8Bg=", 6, back, sizeof(back)), -EINVAL);
	INT_IS(base64url_parse("-_8BgAA", 7, back, sizeof(back)), -EINVAL);
	INT_IS(base64url_parse("+/8BgA", 6, back, sizeof(back)), -EINVAL);
}

int main(void)
{
	TAP_RUN(test_takes_path_and_query_apart);
	TAP_RUN(test_root_has_no_segment);
	TAP_RUN(test_empty_segments_stay);
	TAP_RUN(test_rejects_what_is_malformed);
	TAP_RUN(test_rejects_what_is_beyond_a_limit);
	TAP_RUN(test_base64url_is_canonical);
	return tap_done();
}
