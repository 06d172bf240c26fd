/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/webset_automaton.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STATES_MAX = 1 << 28 };

struct automaton_node {
	uint32_t child, sibling; /* by byte, ascending; 0 = none */
	uint32_t number;	 /* of its state */
	uint32_t fail;		 /* a node */
	uint32_t ends;		 /* 1 + index into the chain of ends, 0 = none */
	uint8_t byte;
};

struct automaton_end {
	uint32_t entry;
	uint32_t next; /* of the same node, as in `ends` */
};

static int new_node(struct automaton *a, uint8_t byte, uint32_t *out)
{
	if (a->count == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 64;
		struct automaton_node *nodes =
			cap > STATES_MAX ? NULL : realloc(a->nodes, cap * sizeof(*nodes));
		if (!nodes)
			return cap > STATES_MAX ? -E2BIG : -ENOMEM;
		a->nodes = nodes;
		a->cap = cap;
	}
	*out = (uint32_t)a->count;
	a->nodes[a->count++] = (struct automaton_node){ .byte = byte };
	return 0;
}

int automaton_init(struct automaton *a)
{
	uint32_t root;
	*a = (struct automaton){ 0 };
	return new_node(a, 0, &root);
}

void automaton_fini(struct automaton *a)
{
	free(a->nodes);
	free(a->order);
	free(a->states);
	free(a->edges);
	free(a->targets);
	free(a->ends);
	free(a->chain);
	*a = (struct automaton){ 0 };
}

static uint32_t find_child(const struct automaton *a, uint32_t node, uint8_t byte)
{
	uint32_t child = a->nodes[node].child;
	while (child && a->nodes[child].byte < byte)
		child = a->nodes[child].sibling;
	return child && a->nodes[child].byte == byte ? child : 0;
}

/* The child for that byte, put in its place when there is none. */
static int get_child(struct automaton *a, uint32_t node, uint8_t byte, uint32_t *out)
{
	uint32_t before = 0, child = a->nodes[node].child, fresh;
	while (child && a->nodes[child].byte < byte) {
		before = child;
		child = a->nodes[child].sibling;
	}
	*out = child;
	if (child && a->nodes[child].byte == byte)
		return 0;
	int err = new_node(a, byte, &fresh);
	if (err)
		return err;
	a->nodes[fresh].sibling = child;
	if (before)
		a->nodes[before].sibling = fresh;
	else
		a->nodes[node].child = fresh;
	a->edge_count++;
	*out = fresh;
	return 0;
}

static int add_end(struct automaton *a, uint32_t node, uint32_t entry)
{
	if (a->end_count == a->chain_cap) {
		size_t cap = a->chain_cap ? a->chain_cap * 2 : 64;
		struct automaton_end *chain = realloc(a->chain, cap * sizeof(*chain));
		if (!chain)
			return -ENOMEM;
		a->chain = chain;
		a->chain_cap = cap;
	}
	a->chain[a->end_count] =
		(struct automaton_end){ .entry = entry, .next = a->nodes[node].ends };
	a->nodes[node].ends = (uint32_t)++a->end_count;
	return 0;
}

int automaton_add(struct automaton *a, const char *literal, size_t len, uint32_t entry)
{
	uint32_t node = 0;
	for (size_t i = 0; i < len; i++) {
		int err = get_child(a, node, (uint8_t)literal[i], &node);
		if (err)
			return err;
	}
	return add_end(a, node, entry);
}

/* Numbers the nodes by depth: a state's fail, being shorter, has a smaller number. */
static void number_nodes(struct automaton *a)
{
	size_t filled = 1;
	a->order[0] = 0;
	for (size_t i = 0; i < filled; i++) {
		uint32_t node = a->order[i];
		a->nodes[node].number = (uint32_t)i;
		for (uint32_t c = a->nodes[node].child; c; c = a->nodes[c].sibling)
			a->order[filled++] = c;
	}
}

static uint32_t find_fail(const struct automaton *a, uint32_t parent, uint8_t byte)
{
	while (parent) {
		parent = a->nodes[parent].fail;
		uint32_t child = find_child(a, parent, byte);
		if (child)
			return child;
	}
	return 0;
}

static void flatten_node(struct automaton *a, uint32_t node, size_t *edges, size_t *ends)
{
	const struct automaton_node *n = &a->nodes[node];
	struct webset_state *s = &a->states[n->number];
	s->edge_first = (uint32_t)*edges;
	for (uint32_t c = n->child; c; c = a->nodes[c].sibling) {
		a->nodes[c].fail = node ? find_fail(a, node, a->nodes[c].byte) : 0;
		a->edges[*edges] = a->nodes[c].byte;
		a->targets[(*edges)++] = a->nodes[c].number;
		s->edge_count++;
	}
	s->end_first = (uint32_t)*ends;
	for (uint32_t e = n->ends; e; e = a->chain[e - 1].next) {
		a->ends[(*ends)++] = a->chain[e - 1].entry;
		s->end_count++;
	}
	/* Its fail is shorter, so that it has been here already. */
	const struct webset_state *fail = &a->states[a->nodes[n->fail].number];
	s->fail = a->nodes[n->fail].number;
	s->link = fail->end_count ? s->fail : fail->link;
}

int automaton_flatten(struct automaton *a)
{
	size_t edges = 0, ends = 0;
	a->order = calloc(a->count, sizeof(*a->order));
	a->states = calloc(a->count, sizeof(*a->states));
	a->edges = calloc(a->edge_count + 1, 1);
	a->targets = calloc(a->edge_count + 1, sizeof(*a->targets));
	a->ends = calloc(a->end_count + 1, sizeof(*a->ends));
	if (!a->order || !a->states || !a->edges || !a->targets || !a->ends)
		return -ENOMEM;
	number_nodes(a);
	for (size_t i = 0; i < a->count; i++)
		flatten_node(a, a->order[i], &edges, &ends);
	return 0;
}
