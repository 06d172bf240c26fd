/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/webset_image.h"

/*
 * Building of one automaton (Aho and Corasick, 1975) of a web set: literals in, flat tables out.
 */
struct automaton_node;
struct automaton_end;
struct automaton {
	/* the trie while it grows */
	struct automaton_node *nodes;
	struct automaton_end *chain;
	size_t count, cap, chain_cap;
	uint32_t *order; /* nodes by depth */
	/* out */
	struct webset_state *states;
	uint8_t *edges;
	uint32_t *targets;
	uint32_t *ends;
	size_t edge_count, end_count;
};

/* -ENOMEM */
int automaton_init(struct automaton *a);
void automaton_fini(struct automaton *a);
/* entry ends where this literal (not empty) does. -ENOMEM, -E2BIG. */
int automaton_add(struct automaton *a, const char *literal, size_t len, uint32_t entry);
/* Fills the tables; states has count elements. -ENOMEM */
int automaton_flatten(struct automaton *a);
