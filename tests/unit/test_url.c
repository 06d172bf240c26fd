/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P5, Patterns: a path is judged in one spelling. */
#include "common/policy/url.h"
#include "tests/unit/tap.h"

static const char *judged(const char *rest)
{
	static char text[200];

	snprintf(text, sizeof(text), "%s", rest);
	text[url_resolve_dots(text, url_decode_rest(text, strlen(text)))] = '\0';
	return text;
}

static void test_plain_paths_stay(void)
{
	static const char *const texts[] = { "/", "/a", "/a/b/", "/a.b/.c/..d/...", "/a?b=/../c//d",
		"/?", "/a;b", "/%20/%09", "/%", "/%4", "/%zz", "*", "/%3F%23%25%2A", "" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		STR_IS(judged(texts[i]), texts[i]);
}

static void test_escapes_of_visible_characters_are_decoded(void)
{
	STR_IS(judged("/%73e%63re%74"), "/secret");
	STR_IS(judged("/a%2Fb%3Bc"), "/a/b;c");
	STR_IS(judged("/a?%71=%26%2f"), "/a?q=%26%2F");
	/* Once, as servers do. */
	STR_IS(judged("/%2573"), "/%2573");
	STR_IS(judged("/%%373"), "/%%373");
	STR_IS(judged("/%7%33"), "/%7%33");
	STR_IS(judged("/%7%30"), "/%7%30");
	STR_IS(judged("/%00?%00"), "/%00?%00");
	STR_IS(judged("/%%370"), "/%%370");
	STR_IS(judged("/a%3f%73?%73"), "/a%3Fs?s");
}

static void test_letters_beyond_ascii_are_themselves(void)
{
	STR_IS(judged("/b%C3%BCcher?%c3%bc"), "/b\xc3\xbc"
					      "cher?\xc3\xbc");
	STR_IS(judged("/%0a%0A?%0a"), "/%0A%0A?%0A");
}

static void test_slashes_are_one(void)
{
	STR_IS(judged("//a///b//"), "/a/b/");
	STR_IS(judged("/%2fa\\b"), "/a/b");
	STR_IS(judged("/a?//"), "/a?//");
}

static void test_dot_segments_are_resolved(void)
{
	STR_IS(judged("/kids/../adult"), "/adult");
	STR_IS(judged("/kids/%2e%2E/adult"), "/adult");
	STR_IS(judged("/kids/..%2fadult"), "/adult");
	STR_IS(judged("/kids%2f.%2e%5cadult?x"), "/adult?x");
	STR_IS(judged("/kids/..;x/adult"), "/adult");
	STR_IS(judged("/a/./b/.;p/c"), "/a/b/c");
	STR_IS(judged("/a/b/.."), "/a/");
	STR_IS(judged("/a/b/."), "/a/b/");
	STR_IS(judged("/.."), "/");
	STR_IS(judged("/../../a"), "/a");
	STR_IS(judged("/a/../../b?q"), "/b?q");
	STR_IS(judged("/a/..?q"), "/?q");
}

int main(void)
{
	TAP_RUN(test_plain_paths_stay);
	TAP_RUN(test_escapes_of_visible_characters_are_decoded);
	TAP_RUN(test_letters_beyond_ascii_are_themselves);
	TAP_RUN(test_slashes_are_one);
	TAP_RUN(test_dot_segments_are_resolved);
	return tap_done();
}
