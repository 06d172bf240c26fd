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

static void test_addresses_are_whole_and_in_one_spelling(void)
{
	OK(matches(MATCH_EXACT, "2001:db8::443", "2001:db8::443"));
	OK(matches(MATCH_EXACT, "2001:DB8:0::443", "2001:db8::443"));
	OK(matches(MATCH_EXACT, "[2001:db8::1]:443", "2001:db8::1"));
	OK(matches(MATCH_EXACT, "192.0.2.7:443", "192.0.2.7"));
	OK(!matches(MATCH_EXACT, "2001:db8::443", "2001:db8:"));
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
	OK(matches(MATCH_WILDCARD, "a.example/*/%2a", "a.example/b/%2A"));
}

static void test_wildcard_crosses_slashes(void)
{
	OK(matches(MATCH_WILDCARD, "*.a.example/*/x", "b.a.example/1/2/x"));
	OK(!matches(MATCH_WILDCARD, "*.a.example/*/x", "b.a.example/x"));
	OK(matches(MATCH_WILDCARD, "*", ""));
	OK(matches(MATCH_WILDCARD, "a*b*c", "aXXbYYbZc"));
	OK(!matches(MATCH_WILDCARD, "a*b*c", "aXXbYY"));
}

static bool may_be_of(int match, const char *pattern, const char *host)
{
	struct pattern p;
	bool res;

	if (pattern_parse(pattern, match, &p))
		return false;
	res = p.is_url && pattern_may_be_of(&p, host, strlen(host));
	pattern_fini(&p);
	return res;
}

static void test_url_patterns_tell_which_hosts_they_may_be_of(void)
{
	OK(may_be_of(MATCH_EXACT, "www.a.example/x", "a.example"));
	OK(!may_be_of(MATCH_EXACT, "a.example/x", "b.a.example"));
	OK(may_be_of(MATCH_STARTSWITH, "a.example/x", "a.example"));
	OK(!may_be_of(MATCH_STARTSWITH, "a.example/x", "a.example.net"));
	OK(!may_be_of(MATCH_EXACT, "a.example/x", "b.example"));
	OK(!may_be_of(MATCH_STARTSWITH, "a.example/x", "b.example"));
	OK(may_be_of(MATCH_STARTSWITH, "https://a.ex", "a.example"));
	OK(may_be_of(MATCH_STARTSWITH, "https://a.example", "a.example"));
	OK(!may_be_of(MATCH_STARTSWITH, "https://a.ex", "b.example"));
	OK(!may_be_of(MATCH_STARTSWITH, "https://a.example", "a.ex"));
	OK(may_be_of(MATCH_ENDSWITH, "a.example/x", "www.a.example"));
	OK(may_be_of(MATCH_ENDSWITH, "/x", "any.example"));
	OK(may_be_of(MATCH_CONTAINS, "example/x", "a.example"));
	OK(!may_be_of(MATCH_CONTAINS, "a.example/x", "b.example"));
	OK(may_be_of(MATCH_WILDCARD, "*.a.example/x*", "b.a.example"));
	OK(!may_be_of(MATCH_WILDCARD, "*.a.example/x*", "b.example"));
	OK(may_be_of(MATCH_WILDCARD, "*/x", "b.example"));
	OK(may_be_of(MATCH_WILDCARD, "https://a*x", "a.example"));
	OK(!may_be_of(MATCH_WILDCARD, "https://a*x", "b.example"));
	OK(may_be_of(MATCH_WILDCARD, "https://a.example*", "a.example"));
	OK(!may_be_of(MATCH_WILDCARD, "https://a.example*", "a.ex"));
}

static void test_hosts_have_one_spelling(void)
{
	OK(matches(MATCH_EXACT, "A.Example.:443", "a.example"));
	OK(matches(MATCH_EXACT, "https://[2001:DB8:0::443]:443/x", "2001:db8::443/x"));
	OK(matches(MATCH_EXACT, "2001:db8::80", "2001:db8::80"));
	OK(matches(MATCH_EXACT, "http://192.0.2.7:80", "192.0.2.7/"));
}

static void test_widest_pattern_covers_what_any_match_would(void)
{
	static const char *const texts[] = { "www.a*b.example", "a.example/x", "http://a.example" };
	static const char *const subjects[] = { "acb.example", "x.a*b.example.net",
		"www.a.example/x", "b.example/a.example/xy", "a.example/", "www.a*b.example" };
	struct pattern widest, p;

	for (int t = 0; t < 3; t++) {
		INT_IS(pattern_parse_widest(texts[t], &widest), 0);
		for (int s = 0; s < 6; s++) {
			size_t len = strlen(subjects[s]);
			bool any = false;
			for (int m = MATCH_EXACT; m <= MATCH_WILDCARD; m++) {
				INT_IS(pattern_parse(texts[t], m, &p), 0);
				any |= pattern_matches(&p, subjects[s], len);
				pattern_fini(&p);
			}
			OK(!any || pattern_matches(&widest, subjects[s], len));
		}
		pattern_fini(&widest);
	}
	OK(pattern_parse_widest("", &widest));
}

static void test_empty_pattern_is_refused(void)
{
	struct pattern p;

	OK(pattern_parse("", MATCH_CONTAINS, &p));
	OK(pattern_parse("www.", MATCH_CONTAINS, &p) == 0);
	pattern_fini(&p);
}

/* P5: www.com is a site; a rule for it is none for com. */
static void test_www_is_kept_where_only_a_suffix_would_be_left(void)
{
	OK(matches(MATCH_ENDSWITH, "www.com", "www.com"));
	OK(matches(MATCH_ENDSWITH, "www.com", "a.www.com"));
	OK(!matches(MATCH_ENDSWITH, "www.com", "bank.com"));
	OK(!matches(MATCH_ENDSWITH, "www.com", "com"));
	OK(matches(MATCH_EXACT, "www.com/a.b", "www.com/a.b"));
	OK(matches(MATCH_EXACT, "www.a.com/a.b", "a.com/a.b"));
}

int main(void)
{
	TAP_RUN(test_www_is_kept_where_only_a_suffix_would_be_left);
	TAP_RUN(test_exact_is_the_host_itself);
	TAP_RUN(test_addresses_are_whole_and_in_one_spelling);
	TAP_RUN(test_endswith_matches_at_a_label_boundary);
	TAP_RUN(test_url_patterns_see_host_and_path);
	TAP_RUN(test_paths_of_patterns_have_one_spelling);
	TAP_RUN(test_wildcard_crosses_slashes);
	TAP_RUN(test_url_patterns_tell_which_hosts_they_may_be_of);
	TAP_RUN(test_hosts_have_one_spelling);
	TAP_RUN(test_widest_pattern_covers_what_any_match_would);
	TAP_RUN(test_empty_pattern_is_refused);
	return tap_done();
}
