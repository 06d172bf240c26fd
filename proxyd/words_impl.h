/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/words.h"

/* Private to proxyd/words*.c. */

/* A term as it is searched for. */
struct words_literal {
	char *text; /* folded */
	uint16_t len;
	bool is_exact;
};

struct words {
	unsigned refs;
	enum words_engine engine;
	struct words_literal *literals; /* sorted, each once */
	size_t count;
	size_t shortest; /* of their lengths */
	uint64_t fingerprint;
	struct words_automaton *automaton;
	struct words_hyperscan *hyperscan;
};

/* Compile the literals of w, which stay theirs to look at. 0, -ENOMEM, -EIO. */
int words_automaton_new(const struct words *w, struct words_automaton **out);
void words_automaton_free(struct words_automaton *a);
size_t words_automaton_scan(const struct words *w, struct words_cursor *c, const uint8_t *folded,
	size_t from, size_t len, words_on_match *on_match, void *arg);

int words_hyperscan_new(const struct words *w, struct words_hyperscan **out);
void words_hyperscan_free(struct words_hyperscan *h);
size_t words_hyperscan_scan(const struct words *w, const uint8_t *folded, size_t from, size_t len,
	words_on_match *on_match, void *arg);
