/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled terms: what is found, by each engine, beside a search by hand (SPEC P9). */
#include "proxyd/words.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

#define TEXT_MAX 4096

/* Where a term ends, by length: bit n = one of n bytes. */
struct found {
	uint64_t ends[TEXT_MAX + 1];
};

static void on_match(void *arg, size_t end, size_t len, bool is_exact)
{
	struct found *f = arg;

	(void)is_exact;
	f->ends[end] |= 1ULL << (len & 63);
}

/* A search in pieces. What is promised to matter is kept, the rest is overwritten. */
static void search(const struct words *w, const char *text, size_t piece, struct found *f)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len + 1);
	struct words_cursor c = { 0 };

	memset(f, 0, sizeof(*f));
	memcpy(copy, text, len);
	for (size_t at = 0; at < len;) {
		size_t to = at + piece < len ? at + piece : len;
		size_t kept = words_scan(w, &c, copy, at, to, on_match, f);

		OK(kept <= to);
		memset(copy, '#', to - kept);
		at = to;
	}
	free(copy);
}

static void search_by_hand(
	const struct words_term *terms, size_t n, const char *text, struct found *f)
{
	size_t len = strlen(text);

	memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < n; i++) {
		size_t l = strlen(terms[i].text);

		for (size_t at = 0; at + l <= len; at++) {
			if (!memcmp(text + at, terms[i].text, l))
				f->ends[at + l] |= 1ULL << (l & 63);
		}
	}
}

static const enum words_engine engines[] = { WORDS_AUTOMATON, WORDS_HYPERSCAN };

#define FOREACH_ENGINE(e)                                                                          \
	for (const enum words_engine *e = engines; e < engines + 2; e++)                           \
		if (words_has_engine(*e))

static struct words *compile(enum words_engine e, const struct words_term *terms, size_t n)
{
	struct words *w = NULL;

	INT_IS(words_compile(e, terms, n, NULL, &w), 0);
	return w;
}

static void check(const struct words_term *terms, size_t n, const char *text)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64, TEXT_MAX };
	static struct found want, got;

	search_by_hand(terms, n, text, &want);
	FOREACH_ENGINE(e)
	{
		struct words *w = compile(*e, terms, n);

		for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			search(w, text, pieces[i], &got);
			OK(!memcmp(&want, &got, sizeof(want)));
		}
		words_unref(w);
	}
}

static void test_overlapping_terms_are_all_found(void)
{
	static const struct words_term terms[] = { { "he", false }, { "she", false },
		{ "his", false }, { "hers", false }, { "s", false }, { "ushers", false } };

	check(terms, 6, "ushers and his sheep, she said: hhehers");
}

static void test_engines_find_what_a_search_by_hand_finds(void)
{
	struct words_term terms[40];
	char texts[40][8], text[TEXT_MAX + 1];
	uint32_t x = 7;

	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < 40; i++) {
			size_t len = 1 + (x >> 20) % 6;

			for (size_t k = 0; k < len; k++) {
				x = x * 1664525 + 1013904223;
				texts[i][k] = (char)('a' + (x >> 24) % 3);
			}
			texts[i][len] = '\0';
			terms[i] = (struct words_term){ texts[i], false };
		}
		for (size_t i = 0; i < 500; i++) {
			x = x * 1664525 + 1013904223;
			text[i] = (char)('a' + (x >> 24) % 4);
		}
		text[500] = '\0';
		check(terms, 40, text);
	}
}

/* More states than have rows of their own. */
static void test_thousands_of_terms(void)
{
	enum { COUNT = 5000 };
	struct words_term *terms = calloc(COUNT, sizeof(*terms));
	char(*texts)[16] = calloc(COUNT, sizeof(*texts)), text[TEXT_MAX + 1];
	size_t len = 0;
	uint32_t x = 3;

	for (size_t i = 0; i < COUNT; i++) {
		for (size_t k = 0; k < 5 + i % 8; k++) {
			x = x * 1664525 + 1013904223;
			texts[i][k] = (char)('a' + (x >> 24) % 26);
		}
		terms[i].text = texts[i];
	}
	while (len < TEXT_MAX - 40) {
		x = x * 1664525 + 1013904223;
		len += (size_t)sprintf(
			text + len, "%.*s", (int)(3 + (x >> 10) % 10), texts[(x >> 12) % COUNT]);
	}
	check(terms, COUNT, text);
	free(terms);
	free(texts);
}

static size_t count_of(const char *text, bool is_exact)
{
	struct words_term term = { text, is_exact };
	struct words *w = compile(WORDS_AUTOMATON, &term, 1);
	size_t n = words_count(w);

	words_unref(w);
	return n;
}

static void test_terms_are_folded(void)
{
	static const struct words_term terms[] = { { "  Straße\t\nÉTÉ ", false } };

	FOREACH_ENGINE(e)
	{
		static struct found f;
		struct words *w = compile(*e, terms, 1);

		search(w, "x straße été y", TEXT_MAX, &f);
		OK(f.ends[2 + 7 + 1 + 5]);
		/* decomposed */
		search(w, "straße e\xcc\x81te\xcc\x81", TEXT_MAX, &f);
		OK(f.ends[7 + 1 + 7]);
		words_unref(w);
	}
}

static void test_empty_and_unusable_terms_are_left_out(void)
{
	char lengthy[WORDS_TERM_MAX + 2];
	struct words_term terms[] = { { "", false }, { " \t", false }, { "\xff", false },
		{ "\xc2\xad", false }, { lengthy, false }, { "good", false } };
	struct words *w = NULL;
	size_t ignored;

	memset(lengthy, 'a', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	INT_IS(words_compile(WORDS_AUTOMATON, terms, 6, &ignored, &w), 0);
	INT_IS(words_count(w), 1);
	OK(ignored >= 5);
	words_unref(w);
	INT_IS(count_of("a\xc2\xad"
			"b",
		       false),
		1);
}

static void test_no_terms_find_nothing(void)
{
	static struct found f;

	FOREACH_ENGINE(e)
	{
		struct words *w = compile(*e, NULL, 0);

		search(w, "anything", 3, &f);
		for (size_t i = 0; i <= 8; i++)
			OK(!f.ends[i]);
		words_unref(w);
	}
}

static void test_a_fingerprint_tells_terms_apart(void)
{
	static const struct words_term a[] = { { "one", false }, { "two", false } },
				       b[] = { { "two", false }, { "one", false } },
				       c[] = { { "one", true }, { "two", false } },
				       d[] = { { "onetwo", false } };
	struct words *wa = compile(WORDS_AUTOMATON, a, 2), *wb = compile(WORDS_AUTOMATON, b, 2),
		     *wc = compile(WORDS_AUTOMATON, c, 2), *wd = compile(WORDS_AUTOMATON, d, 1);

	OK(words_fingerprint(wa) == words_fingerprint(wb));
	OK(words_fingerprint(wa) != words_fingerprint(wc));
	OK(words_fingerprint(wa) != words_fingerprint(wd));
	words_unref(wa);
	words_unref(wb);
	words_unref(wc);
	words_unref(wd);
}

int main(void)
{
	TAP_RUN(test_overlapping_terms_are_all_found);
	TAP_RUN(test_engines_find_what_a_search_by_hand_finds);
	TAP_RUN(test_thousands_of_terms);
	TAP_RUN(test_terms_are_folded);
	TAP_RUN(test_empty_and_unusable_terms_are_left_out);
	TAP_RUN(test_no_terms_find_nothing);
	TAP_RUN(test_a_fingerprint_tells_terms_apart);
	return tap_done();
}
