/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/siphash.h"
#include "proxyd/words_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uninorm.h>
#include <unistr.h>

/* ---- terms ---- */

size_t words_fold(const uint8_t *text, size_t len, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		uint32_t cp = 0;
		int got = utf8_decode(text + i, len - i, &cp);

		i += got > 0 ? (size_t)got : 1;
		cp = fold_char(cp);
		if (got <= 0)
			out[n++] = FOLD_OPAQUE;
		else if (cp != FOLD_IGNORED && (cp != ' ' || !n || out[n - 1] != ' '))
			n += (size_t)utf8_encode(cp, out + n);
	}
	return n;
}

/* Folds as the text is folded; no blanks at the ends. The length, 0: nothing is left. */
static size_t fold_term(const uint8_t *text, size_t len, uint8_t *out)
{
	size_t n = words_fold(text, len, out), from = n && out[0] == ' ';

	memmove(out, out + from, n - from);
	n -= from;
	return n && out[n - 1] == ' ' ? n - 1 : n;
}

static int add_literal(struct words *w, const char *text, size_t len, bool is_exact)
{
	struct words_literal *l = &w->literals[w->count];

	l->text = malloc(len + 1);
	if (!l->text)
		return -ENOMEM;
	memcpy(l->text, text, len);
	l->text[len] = '\0';
	l->len = (uint16_t)len;
	l->is_exact = is_exact;
	w->count++;
	return 0;
}

/* One of the two normal forms. 1: nothing is left of it. */
static int add_form(struct words *w, const struct words_term *t, uninorm_t form)
{
	const uint8_t *given = (const uint8_t *)t->text;
	size_t len = strlen(t->text);
	uint8_t *text, *folded;
	int err = 1;

	if (u8_check(given, len))
		return 1;
	text = u8_normalize(form, given, len, NULL, &len);
	if (!text)
		return errno == ENOMEM ? -ENOMEM : 1;
	folded = malloc(len * 2 + 1);
	len = folded ? fold_term(text, len, folded) : 0;
	if (!folded)
		err = -ENOMEM;
	else if (len && len <= WORDS_TERM_MAX)
		err = add_literal(w, (const char *)folded, len, t->is_exact);
	free(text);
	free(folded);
	return err;
}

static int compare(const void *a, const void *b)
{
	const struct words_literal *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->text, y->text, len);

	if (!order)
		order = (x->len > y->len) - (x->len < y->len);
	/* Of the same text, `contains` finds what `exact` finds: it comes first and stays. */
	return order ? order : x->is_exact - y->is_exact;
}

static void sort_literals(struct words *w)
{
	size_t kept = 0;

	if (w->count)
		qsort(w->literals, w->count, sizeof(*w->literals), compare);
	for (size_t i = 0; i < w->count; i++) {
		if (kept && !strcmp(w->literals[kept - 1].text, w->literals[i].text))
			free(w->literals[i].text);
		else
			w->literals[kept++] = w->literals[i];
	}
	w->count = kept;
}

static void make_fingerprint(struct words *w)
{
	uint8_t key[16] = { 0 };

	for (size_t i = 0; i < w->count; i++) {
		memcpy(key, &w->fingerprint, sizeof(w->fingerprint));
		key[8] = w->literals[i].is_exact;
		w->fingerprint = siphash13(key, w->literals[i].text, w->literals[i].len);
	}
}

static int add_terms(struct words *w, const struct words_term *terms, size_t n, size_t *ignored)
{
	w->literals = calloc(2 * n + 1, sizeof(*w->literals));
	if (!w->literals)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int err = add_form(w, &terms[i], UNINORM_NFC);

		if (!err)
			err = add_form(w, &terms[i], UNINORM_NFD);
		if (err < 0)
			return err;
		if (err && ignored)
			++*ignored;
	}
	sort_literals(w);
	w->shortest = SIZE_MAX;
	for (size_t i = 0; i < w->count; i++)
		w->shortest = w->literals[i].len < w->shortest ? w->literals[i].len : w->shortest;
	make_fingerprint(w);
	return 0;
}

/* ---- the whole ---- */

int words_compile(enum words_engine engine, const struct words_term *terms, size_t n,
	size_t *ignored, struct words **out)
{
	struct words *w = calloc(1, sizeof(*w));
	int err;

	if (ignored)
		*ignored = 0;
	if (!w)
		return -ENOMEM;
	w->refs = 1;
	w->engine = engine;
	err = words_has_engine(engine) ? add_terms(w, terms, n, ignored) : -ENOTSUP;
	if (!err && w->count)
		err = engine == WORDS_HYPERSCAN ? words_hyperscan_new(w, &w->hyperscan)
						: words_automaton_new(w, &w->automaton);
	if (err) {
		words_unref(w);
		return err;
	}
	*out = w;
	return 0;
}

struct words *words_ref(struct words *w)
{
	w->refs++;
	return w;
}

void words_unref(struct words *w)
{
	if (!w || --w->refs)
		return;
	words_automaton_free(w->automaton);
	words_hyperscan_free(w->hyperscan);
	for (size_t i = 0; i < w->count; i++)
		free(w->literals[i].text);
	free(w->literals);
	free(w);
}

size_t words_count(const struct words *w)
{
	return w->count;
}

size_t words_shortest(const struct words *w)
{
	return w->shortest;
}

uint64_t words_fingerprint(const struct words *w)
{
	return w->fingerprint;
}

size_t words_scan(const struct words *w, struct words_cursor *c, const uint8_t *folded, size_t from,
	size_t len, words_on_match *on_match, void *arg)
{
	if (!w->count || from == len)
		return 0;
	if (w->engine == WORDS_HYPERSCAN)
		return words_hyperscan_scan(w, folded, from, len, on_match, arg);
	return words_automaton_scan(w, c, folded, from, len, on_match, arg);
}
