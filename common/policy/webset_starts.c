/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/webset_starts.h"
#include <stdlib.h>

struct walk {
	struct webset_starts *starts;
	const struct webset_state *states;
	const uint8_t *edges;
	const uint32_t *targets;
	uint64_t left; /* states that may still be visited: a tree has no more */
	uint8_t text[STARTS_LONG];
};

static const void *section(const struct webset *w, int which)
{
	return w->image + w->header->section[which].offset;
}

/* A literal of one byte may be followed by any. */
static void add_short(struct walk *k, unsigned len)
{
	uint32_t two = (uint32_t)k->text[0] << 8;
	uint32_t from = len > 1 ? k->text[1] : 0, to = len > 1 ? k->text[1] : 255;
	for (uint32_t b = from; b <= to; b++)
		k->starts->shorts[(two | b) / 64] |= 1ULL << (two | b) % 64;
}

static void add_long(struct walk *k)
{
	uint32_t bit = webset_starts_hash(k->text);
	k->starts->longs[bit / 64] |= 1ULL << bit % 64;
}

/* The prefixes up to STARTS_LONG bytes. */
static void visit(struct walk *k, uint32_t state, unsigned depth)
{
	const struct webset_state *s = &k->states[state];
	if (depth == STARTS_LONG) {
		add_long(k);
		return;
	}
	if (s->end_count)
		add_short(k, depth);
	for (uint32_t e = s->edge_first; e < s->edge_first + s->edge_count && k->left; e++) {
		k->left--;
		k->text[depth] = k->edges[e];
		visit(k, k->targets[e], depth + 1);
	}
}

struct webset_starts *webset_starts_new(const struct webset *w, int which)
{
	struct walk k = { .starts = calloc(1, sizeof(*k.starts)),
		.states = section(w, WEBSET_STATES + which),
		.edges = section(w, WEBSET_EDGES + which),
		.targets = section(w, WEBSET_TARGETS + which),
		.left = w->header->section[WEBSET_STATES + which].count };
	if (!k.starts || !w->header->section[WEBSET_ENDS + which].count)
		return k.starts;
	visit(&k, 0, 0);
	/* No tree: nothing is known, literals may begin anywhere. */
	if (!k.left)
		memset(k.starts, 0xff, sizeof(*k.starts));
	return k.starts;
}

struct webset_starts *webset_starts_new_table(const struct webset *w, int table)
{
	const struct webset_entry *entries = section(w, WEBSET_ENTRIES);
	const struct webset_node *nodes = section(w, WEBSET_NODES + table);
	const char *strings = section(w, WEBSET_STRINGS);
	struct walk k = { .starts = calloc(1, sizeof(*k.starts)) };
	for (uint64_t n = 0; k.starts && n < w->header->section[WEBSET_NODES + table].count; n++) {
		const struct webset_entry *e = &entries[nodes[n].first];
		unsigned len = e->text_len < STARTS_LONG ? e->text_len : STARTS_LONG;
		memcpy(k.text, strings + e->text, len);
		if (len == STARTS_LONG)
			add_long(&k);
		else
			add_short(&k, len);
	}
	return k.starts;
}
