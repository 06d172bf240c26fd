/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P5, Patterns. */
#include "common/codec.h"
#include "common/policy/pattern.h"
#include "tests/unit/tap.h"

static bool matches(int match, const char *pattern, const char *subject)
{
	struct pattern p;
	bool res;

	if (pattern_parse(pattern, match, &p))
		return false;
	res = pattern_matches(&p, subject, strlen(subject));
	pattern_fini(&p);
	return res;
}

static void test_exact_is_the_host_itself(void)
{
	OK(matches(MATCH_EXACT, "a.example", "a.example"));
	OK(matches(MATCH_EXACT, "WWW.A.Example", "a.example"));
	OK(matches(MATCH_EXACT, "a.example", "www.a.example"));
	OK(!matches(MATCH_EXACT, "a.example", "b.a.example"));
	OK(matches(MATCH_EXACT, "a.example:443", "a.example"));
}

static void test_endswith_matches_at_a_label_boundary(void)
{
	OK(matches(MATCH_ENDSWITH, "a.example", "x.a.example"));
	OK(matches(MATCH_ENDSWITH, "a.example", "a.example"));
	OK(!matches(MATCH_ENDSWITH, "a.example", "banana.example"));
	OK(matches(MATCH_ENDSWITH, ".example", "a.example"));
}

static void test_url_patterns_see_host_and_path(void)
{
	OK(matches(MATCH_STARTSWITH, "https://a.example/x", "a.example/xyz"));
	OK(!matches(MATCH_STARTSWITH, "https://a.example/x", "a.example/X"));
	OK(matches(MATCH_EXACT, "http://a.example", "a.example/"));
	OK(matches(MATCH_CONTAINS, "/casino", "a.example/my/casino?x"));
	OK(matches(MATCH_ENDSWITH, "a.example/last", "a.example/last"));
}

static void test_paths_of_patterns_have_one_spelling(void)
{
	OK(matches(MATCH_STARTSWITH, "a.example/%73ecret//x", "a.example/secret/x"));
	OK(matches(MATCH_WILDCARD, "a.example/*/%2a", "a.example/b/%2a"));
}

static void test_wildcard_crosses_slashes(void)
{
	OK(matches(MATCH_WILDCARD, "*.a.example/*/x", "b.a.example/1/2/x"));
	OK(!matches(MATCH_WILDCARD, "*.a.example/*/x", "b.a.example/x"));
	OK(matches(MATCH_WILDCARD, "*", ""));
	OK(matches(MATCH_WILDCARD, "a*b*c", "aXXbYYbZc"));
	OK(!matches(MATCH_WILDCARD, "a*b*c", "aXXbYY"));
}

static void test_empty_pattern_is_refused(void)
{
	struct pattern p;

	OK(pattern_parse("", MATCH_CONTAINS, &p));
	OK(pattern_parse("www.", MATCH_CONTAINS, &p) == 0);
	pattern_fini(&p);
}

int main(void)
{
	TAP_RUN(test_exact_is_the_host_itself);
	TAP_RUN(test_endswith_matches_at_a_label_boundary);
	TAP_RUN(test_url_patterns_see_host_and_path);
	TAP_RUN(test_paths_of_patterns_have_one_spelling);
	TAP_RUN(test_wildcard_crosses_slashes);
	TAP_RUN(test_empty_pattern_is_refused);
	return tap_done();
}
