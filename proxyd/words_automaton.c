/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aho and Corasick (1975) over the folded bytes. States are numbered by depth; the first ones,
 * where text spends its time, have whole rows of next states by class of byte, the rest lists of
 * edges and a way back.
 */
#include "common/policy/webset_automaton.h"
#include "proxyd/words_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Rows of 64 classes fill 2 MiB then. */
#define DENSE_MAX 8192

struct words_automaton {
	struct automaton table;
	uint16_t *depth; /* by state */
	uint32_t *rows;	 /* dense × classes */
	size_t dense;	 /* states with a row */
	size_t classes;	 /* class 0: in no term */
	uint8_t class_of[256];
	bool stays[256]; /* at the root, with this byte */
};

static int add_literals(struct words_automaton *a, const struct words *w)
{
	int err = automaton_init(&a->table);

	for (size_t i = 0; i < w->count && !err; i++)
		err = automaton_add(
			&a->table, w->literals[i].text, w->literals[i].len, (uint32_t)i);
	return err ? err : automaton_flatten(&a->table);
}

static void number_classes(struct words_automaton *a)
{
	a->classes = 1;
	for (size_t i = 0; i < a->table.edge_count; i++) {
		uint8_t byte = a->table.edges[i];

		if (!a->class_of[byte])
			a->class_of[byte] = (uint8_t)a->classes++;
	}
}

/* A state's fail is shorter, so that its row and the depth of its children are known before. */
static void fill_state(struct words_automaton *a, size_t state)
{
	const struct webset_state *s = &a->table.states[state];
	uint32_t *row = state < a->dense ? a->rows + state * a->classes : NULL;

	if (row && state)
		memcpy(row, a->rows + s->fail * a->classes, a->classes * sizeof(*row));
	for (uint32_t e = s->edge_first; e < s->edge_first + s->edge_count; e++) {
		uint32_t target = a->table.targets[e];

		a->depth[target] = (uint16_t)(a->depth[state] + 1);
		if (row)
			row[a->class_of[a->table.edges[e]]] = target;
	}
}

int words_automaton_new(const struct words *w, struct words_automaton **out)
{
	struct words_automaton *a = calloc(1, sizeof(*a));
	int err = a ? add_literals(a, w) : -ENOMEM;

	if (!err) {
		size_t count = a->table.count;

		number_classes(a);
		a->dense = count < DENSE_MAX ? count : DENSE_MAX;
		a->depth = calloc(count, sizeof(*a->depth));
		a->rows = calloc(a->dense * a->classes, sizeof(*a->rows));
		err = a->depth && a->rows ? 0 : -ENOMEM;
	}
	if (err) {
		words_automaton_free(a);
		return err;
	}
	for (size_t i = 0; i < a->table.count; i++)
		fill_state(a, i);
	for (int byte = 0; byte < 256; byte++)
		a->stays[byte] = !a->rows[a->class_of[byte]];
	*out = a;
	return 0;
}

void words_automaton_free(struct words_automaton *a)
{
	if (!a)
		return;
	automaton_fini(&a->table);
	free(a->depth);
	free(a->rows);
	free(a);
}

static uint32_t next_state(const struct words_automaton *a, uint32_t state, uint8_t byte)
{
	while (state >= a->dense) {
		const struct webset_state *s = &a->table.states[state];

		for (uint32_t e = s->edge_first; e < s->edge_first + s->edge_count; e++) {
			if (a->table.edges[e] == byte)
				return a->table.targets[e];
		}
		state = s->fail;
	}
	return a->rows[state * a->classes + a->class_of[byte]];
}

static void tell(
	const struct words *w, uint32_t state, size_t end, words_on_match *on_match, void *arg)
{
	const struct automaton *t = &w->automaton->table;

	for (; state; state = t->states[state].link) {
		const struct webset_state *s = &t->states[state];

		for (uint32_t i = s->end_first; i < s->end_first + s->end_count; i++) {
			const struct words_literal *l = &w->literals[t->ends[i]];
			on_match(arg, end, l->len, l->is_exact);
		}
	}
}

size_t words_automaton_scan(const struct words *w, struct words_cursor *c, const uint8_t *folded,
	size_t from, size_t len, words_on_match *on_match, void *arg)
{
	const struct words_automaton *a = w->automaton;
	uint32_t state = c->state;

	for (size_t i = from; i < len; i++) {
		const struct webset_state *s;

		if (!state) {
			while (i < len && a->stays[folded[i]])
				i++;
			if (i == len)
				break;
		}
		state = next_state(a, state, folded[i]);
		s = &a->table.states[state];
		if (s->end_count || s->link)
			tell(w, state, i + 1, on_match, arg);
	}
	c->state = state;
	return a->depth[state];
}
