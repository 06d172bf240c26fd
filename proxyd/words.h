/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/fold.h"

/*
 * The terms of the word filter, compiled: immutable, shared by all that filter with them. The text
 * that is searched is folded (fold.h), as UTF-8, with one blank for each run of white space.
 */
struct words;

struct words_term {
	const char *text; /* UTF-8; folded by us; its composed and decomposed forms both count */
	bool is_exact;	  /* a whole word */
};

enum words_engine { WORDS_AUTOMATON, WORDS_HYPERSCAN };
/* The best one that was built in. */
enum words_engine words_default_engine(void);
bool words_has_engine(enum words_engine engine);

/* Pure; takes milliseconds to seconds for thousands. Terms that are empty, not UTF-8, or longer
 * than WORDS_TERM_MAX bytes when folded are left out (counted in *ignored, which may be NULL). One
 * reference is the caller's. 0, -ENOMEM, -ENOTSUP (engine not built in), -EIO (it refuses them). */
#define WORDS_TERM_MAX 512
int words_compile(enum words_engine engine, const struct words_term *terms, size_t n,
	size_t *ignored, struct words **out);
struct words *words_ref(struct words *w);
void words_unref(struct words *w); /* NULL is allowed */
/* Terms in it; with none nothing is ever found. */
size_t words_count(const struct words *w);
/* Bytes of the shortest one, folded; with none SIZE_MAX. */
size_t words_shortest(const struct words *w);
/* Another for every other set of terms. */
uint64_t words_fingerprint(const struct words *w);

/* Folds a whole text as it is searched; out has room for twice its length. Bytes that are no UTF-8
 * match nothing. The length. */
size_t words_fold(const uint8_t *text, size_t len, uint8_t *out);

/* A term ends at `end` and has `len` bytes. */
typedef void words_on_match(void *arg, size_t end, size_t len, bool is_exact);

struct words_cursor {
	uint32_t state;
};

/*
 * Searches folded[from..len). What is before `from` was searched by the same cursor (zeroed at the
 * start of a text), and as much of it is still there as the last call said: the return value, how
 * many bytes at the end may be the beginning of a term. Matches come in any order.
 */
size_t words_scan(const struct words *w, struct words_cursor *c, const uint8_t *folded, size_t from,
	size_t len, words_on_match *on_match, void *arg);
