/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/webset_automaton.h"
#include "common/policy/webset_build.h"
#include "common/siphash.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The tables of one image until they are laid out. */
struct tables {
	struct webset_entry *entries;
	uint32_t *slots;
	size_t slot_count;
	struct webset_node *nodes[WEBSET_TABLES];
	size_t node_count[WEBSET_TABLES];
	struct automaton automata[WEBSET_AUTOMATA];
	uint32_t class_first[WEBSET_CLASSES + 1];
};

static void tables_fini(struct tables *t)
{
	free(t->entries);
	free(t->slots);
	for (int i = 0; i < WEBSET_TABLES; i++)
		free(t->nodes[i]);
	for (int i = 0; i < WEBSET_AUTOMATA; i++)
		automaton_fini(&t->automata[i]);
}

static int compare_texts(const struct webset_source *a, const struct webset_source *b)
{
	return webset_is_backwards(a->class)
		       ? webset_byte_compare_back(a->text, a->len, b->text, b->len)
		       : webset_byte_compare(a->text, a->len, b->text, b->len);
}

/* To the last difference, so that the image does not depend on the order of adding. */
static int compare_sources(const void *x, const void *y, void *arg)
{
	const struct webset_source *a = x, *b = y;
	const char *arena = arg;
	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	int order = compare_texts(a, b);
	if (!order)
		order = strcmp(arena + a->entry.id, arena + b->entry.id);
	return order ? order : (int)a->entry.match - (int)b->entry.match;
}

static int intern(struct webset_builder *b, const char *text, size_t len, uint32_t *out)
{
	uintptr_t known = (uintptr_t)hmap_find(&b->interned, text, len);
	if (known) {
		*out = (uint32_t)(known - 1);
		return 0;
	}
	int err = webset_append_string(&b->strings, text, len, out);
	return err ? err : hmap_set(&b->interned, text, len, (void *)((uintptr_t)*out + 1));
}

static int move_strings(
	struct webset_builder *b, const struct webset_source *s, struct webset_entry *e)
{
	const char *arena = (const char *)b->arena.data, *need = arena + e->needs;
	const char *id = arena + e->id, *category = arena + e->category;
	uint32_t ignored;
	int err = intern(b, s->text, s->len, &e->text);
	e->text_len = (uint32_t)s->len;
	if (!err)
		err = intern(b, id, strlen(id), &e->id);
	if (!err)
		err = intern(b, category, strlen(category), &e->category);
	e->needs = (uint32_t)(e->needs_count ? b->strings.len : 0);
	for (size_t i = 0; i < e->needs_count && !err; i++, need += strlen(need) + 1)
		err = webset_append_string(&b->strings, need, strlen(need), &ignored);
	return err;
}

static int make_entries(struct webset_builder *b, struct tables *t)
{
	t->entries = calloc(b->count + 1, sizeof(*t->entries));
	if (!t->entries)
		return -ENOMEM;
	for (size_t i = 0; i < b->count; i++) {
		t->entries[i] = b->rules[i].entry;
		int err = move_strings(b, &b->rules[i], &t->entries[i]);
		if (err)
			return err;
		t->class_first[b->rules[i].class + 1]++;
	}
	for (int c = 0; c < WEBSET_CLASSES; c++)
		t->class_first[c + 1] += t->class_first[c];
	return 0;
}

static bool is_first_of_text(const struct tables *t, uint32_t i, uint32_t first)
{
	return i == first || t->entries[i].text != t->entries[i - 1].text;
}

static int make_slots(const struct webset_builder *b, struct tables *t)
{
	uint32_t end = t->class_first[WEBSET_HASHED + 1];
	t->slot_count = 8;
	while (t->slot_count < (size_t)end * 2)
		t->slot_count *= 2;
	t->slots = calloc(t->slot_count, sizeof(*t->slots));
	if (!t->slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < end; i++) {
		if (!is_first_of_text(t, i, 0))
			continue;
		const struct webset_source *s = &b->rules[i];
		size_t slot = siphash13(b->key, s->text, s->len) & (t->slot_count - 1);
		while (t->slots[slot])
			slot = (slot + 1) & (t->slot_count - 1);
		t->slots[slot] = i + 1;
	}
	return 0;
}

/* Does a begin (end) with b's text? */
static bool extends(const struct webset_source *a, const struct webset_source *b)
{
	return a->len >= b->len &&
	       !memcmp(webset_is_backwards(a->class) ? a->text + a->len - b->len : a->text, b->text,
		       b->len);
}

static int make_nodes(const struct webset_builder *b, struct tables *t, int table)
{
	uint32_t first = t->class_first[WEBSET_PREFIX_HOST + table],
		 end = t->class_first[WEBSET_PREFIX_HOST + table + 1], last = WEBSET_NONE;
	struct webset_node *nodes = calloc(end - first + 1, sizeof(*nodes));
	uint32_t n = 0;
	if (!nodes)
		return -ENOMEM;
	t->nodes[table] = nodes;
	for (uint32_t i = first; i < end; i++) {
		if (!is_first_of_text(t, i, first)) {
			nodes[last].count++;
			continue;
		}
		while (last != WEBSET_NONE && !extends(&b->rules[i], &b->rules[nodes[last].first]))
			last = nodes[last].parent;
		nodes[n] = (struct webset_node){ .first = i, .count = 1, .parent = last };
		last = n++;
	}
	t->node_count[table] = n;
	return 0;
}

static int make_automaton(const struct webset_builder *b, struct tables *t, int which)
{
	struct automaton *a = &t->automata[which];
	int class = WEBSET_SEARCH_HOST + which;
	int err = automaton_init(a);
	for (uint32_t i = t->class_first[class]; i < t->class_first[class + 1] && !err; i++) {
		const struct pattern p = { .match = t->entries[i].match,
			.text = (char *)b->rules[i].text,
			.len = b->rules[i].len };
		const char *literal;
		size_t len;
		webset_find_literal(&p, &literal, &len);
		err = automaton_add(a, literal, len, i);
	}
	return err ? err : automaton_flatten(a);
}

static int make_tables(struct webset_builder *b, struct tables *t)
{
	if (b->count)
		qsort_r(b->rules, b->count, sizeof(*b->rules), compare_sources, b->arena.data);
	int err = make_entries(b, t);
	if (!err)
		err = make_slots(b, t);
	for (int i = 0; i < WEBSET_TABLES && !err; i++)
		err = make_nodes(b, t, i);
	for (int i = 0; i < WEBSET_AUTOMATA && !err; i++)
		err = make_automaton(b, t, i);
	/* Never empty, and the last string ends inside. */
	if (!err && buf_append_byte(&b->strings, 0))
		err = -ENOMEM;
	return err;
}

/* ---- laying out ---- */

static void append_section(
	struct buf *out, struct webset_header *h, int section, const void *data, size_t count)
{
	static const uint8_t zeros[8];
	h->section[section].offset = out->len;
	h->section[section].count = count;
	size_t bytes = count * webset_element_size(section);
	if (bytes)
		buf_append(out, data, bytes);
	buf_append(out, zeros, (8 - bytes % 8) % 8);
}

static void append_automaton(
	struct buf *out, struct webset_header *h, int which, const struct automaton *a)
{
	append_section(out, h, WEBSET_STATES + which, a->states, a->count);
	append_section(out, h, WEBSET_EDGES + which, a->edges, a->edge_count);
	append_section(out, h, WEBSET_TARGETS + which, a->targets, a->edge_count);
	append_section(out, h, WEBSET_ENDS + which, a->ends, a->end_count);
}

static int lay_out(const struct webset_builder *b, const struct tables *t, struct buf *out)
{
	struct webset_header h = {
		.magic = WEBSET_MAGIC, .version = WEBSET_VERSION, .sections = WEBSET_SECTIONS
	};
	memcpy(h.key, b->key, sizeof(h.key));
	memcpy(h.class_first, t->class_first, sizeof(h.class_first));
	out->max = WEBSET_IMAGE_MAX;
	buf_append(out, &h, sizeof(h));
	append_section(out, &h, WEBSET_ENTRIES, t->entries, b->count);
	append_section(out, &h, WEBSET_SLOTS, t->slots, t->slot_count);
	for (int i = 0; i < WEBSET_TABLES; i++)
		append_section(out, &h, WEBSET_NODES + i, t->nodes[i], t->node_count[i]);
	for (int i = 0; i < WEBSET_AUTOMATA; i++)
		append_automaton(out, &h, i, &t->automata[i]);
	append_section(out, &h, WEBSET_STRINGS, b->strings.data, b->strings.len);
	if (out->failed)
		return out->failed == -ENOSPC ? -E2BIG : -ENOMEM;
	h.len = out->len;
	memcpy(out->data, &h, sizeof(h));
	h.checksum =
		siphash13(b->key, out->data + WEBSET_CHECKED_FROM, out->len - WEBSET_CHECKED_FROM);
	memcpy(out->data, &h, sizeof(h));
	return 0;
}

int webset_builder_finish(struct webset_builder *b, struct buf *out)
{
	struct tables t = { 0 };
	int err = make_tables(b, &t);
	if (!err)
		err = lay_out(b, &t, out);
	tables_fini(&t);
	return err;
}
