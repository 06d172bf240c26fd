/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which names are an engine's, and in which form they must answer (SPEC D5, P11). */
#include "common/policy/safe_search.h"
#include "tests/unit/tap.h"
#include <string.h>

static enum safe_form engine(const char *host)
{
	return safe_search_engine(host, strlen(host));
}

static void test_google_has_every_country(void)
{
	static const char *const all[] = { "google.com", "www.google.com", "google.cat",
		"www.google.de", "google.az", "google.za", "google.aa", "google.zz", "google.co.uk",
		"www.google.com.au" };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		INT_IS(engine(all[i]), SAFE_GOOGLE);
}

static void test_what_looks_like_google_is_not(void)
{
	static const char *const none[] = { "google.", "google", "www.google.", "www.", "www",
		"google.example", "google.c", "google.d1", "google.1d", "google.{a", "google.a{",
		"google.`a", "google.a`", "google.com.", "google.de.com", "google.org.uk",
		"google.com.net", "google.com.c", "google.co.uk.com", "mail.google.com",
		"notgoogle.com", "googles.com", "www.www.google.com", "www.bing.de", "" };

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		INT_IS(engine(none[i]), SAFE_FORMS);
}

static void test_other_engines_are_whole_names(void)
{
	INT_IS(engine("bing.com"), SAFE_BING);
	INT_IS(engine("global.bing.com"), SAFE_BING);
	INT_IS(engine("lite.duckduckgo.com"), SAFE_DUCKDUCKGO);
	INT_IS(engine("youtube-nocookie.com"), SAFE_YOUTUBE);
	INT_IS(engine("www.youtube-nocookie.com"), SAFE_YOUTUBE);
	INT_IS(engine("bing.co"), SAFE_FORMS);
	INT_IS(engine("bing.comm"), SAFE_FORMS);
	INT_IS(engine("strict.bing.com"), SAFE_FORMS);
	INT_IS(safe_search_engine("bing.com.example", 8), SAFE_BING);
}

static enum safe_form find(const struct rec_safe_search *want, const char *host)
{
	return safe_search_find(want, host, strlen(host));
}

static void test_each_engine_is_restricted_by_its_own_switch(void)
{
	struct rec_safe_search want = { .google = true };

	INT_IS(find(&want, "google.com"), SAFE_GOOGLE);
	INT_IS(find(&want, "bing.com"), SAFE_FORMS);
	INT_IS(find(&want, "duckduckgo.com"), SAFE_FORMS);
	want = (struct rec_safe_search){ .bing = true };
	INT_IS(find(&want, "google.com"), SAFE_FORMS);
	INT_IS(find(&want, "bing.com"), SAFE_BING);
	INT_IS(find(&want, "duckduckgo.com"), SAFE_FORMS);
	want = (struct rec_safe_search){ .duckduckgo = true };
	INT_IS(find(&want, "bing.com"), SAFE_FORMS);
	INT_IS(find(&want, "duckduckgo.com"), SAFE_DUCKDUCKGO);
	INT_IS(find(&want, "youtube.com"), SAFE_FORMS);
}

static void test_youtube_is_restricted_when_a_level_is_said(void)
{
	struct rec_safe_search want = { .youtube = SAFE_LEVEL_STRICT };

	INT_IS(find(&want, "youtube.com"), SAFE_FORMS);
	rec_mark(&want, safe_search, youtube);
	INT_IS(find(&want, "m.youtube.com"), SAFE_YOUTUBE);
	want.youtube = SAFE_LEVEL_MODERATE;
	INT_IS(find(&want, "m.youtube.com"), SAFE_YOUTUBE_MODERATE);
	want.youtube = SAFE_LEVEL_OFF;
	INT_IS(find(&want, "m.youtube.com"), SAFE_FORMS);
	want.google = true;
	want.youtube = SAFE_LEVEL_MODERATE;
	INT_IS(find(&want, "google.com"), SAFE_GOOGLE);
}

static void test_what_could_not_be_read_restricts_all_strictly(void)
{
	struct rec_safe_search want = { .head.closed = true, .youtube = SAFE_LEVEL_MODERATE };

	rec_mark(&want, safe_search, youtube);
	INT_IS(find(&want, "google.com"), SAFE_GOOGLE);
	INT_IS(find(&want, "bing.com"), SAFE_BING);
	INT_IS(find(&want, "youtube.com"), SAFE_YOUTUBE);
	INT_IS(find(&want, "example.com"), SAFE_FORMS);
}

static void test_every_form_has_a_name_that_answers_in_it(void)
{
	STR_IS(safe_search_target(SAFE_GOOGLE), "forcesafesearch.google.com");
	STR_IS(safe_search_target(SAFE_BING), "strict.bing.com");
	STR_IS(safe_search_target(SAFE_DUCKDUCKGO), "safe.duckduckgo.com");
	STR_IS(safe_search_target(SAFE_YOUTUBE), "restrict.youtube.com");
	STR_IS(safe_search_target(SAFE_YOUTUBE_MODERATE), "restrictmoderate.youtube.com");
}

int main(void)
{
	TAP_RUN(test_google_has_every_country);
	TAP_RUN(test_what_looks_like_google_is_not);
	TAP_RUN(test_other_engines_are_whole_names);
	TAP_RUN(test_each_engine_is_restricted_by_its_own_switch);
	TAP_RUN(test_youtube_is_restricted_when_a_level_is_said);
	TAP_RUN(test_what_could_not_be_read_restricts_all_strictly);
	TAP_RUN(test_every_form_has_a_name_that_answers_in_it);
	return tap_done();
}
