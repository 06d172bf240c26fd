/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/file_map.h"
#include "common/policy/webset_image.h"
#include "common/policy/webset_starts.h"
#include "common/siphash.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- is every reference inside? ---- */

static const void *section(const struct webset *w, int which)
{
	return w->image + w->header->section[which].offset;
}

static uint64_t section_count(const struct webset *w, int which)
{
	return w->header->section[which].count;
}

static bool is_header_good(const struct webset_header *h, size_t len)
{
	if (h->magic != WEBSET_MAGIC || h->version != WEBSET_VERSION ||
		h->sections != WEBSET_SECTIONS || h->len != len)
		return false;
	for (int i = 0; i < WEBSET_SECTIONS; i++) {
		uint64_t offset = h->section[i].offset, count = h->section[i].count;
		if (offset % 8 || offset < sizeof(*h) || offset > len || count >= UINT32_MAX ||
			count * webset_element_size(i) > len - offset)
			return false;
	}
	for (int c = 0; c < WEBSET_CLASSES; c++)
		if (h->class_first[c] > h->class_first[c + 1])
			return false;
	return !h->class_first[0] &&
	       h->class_first[WEBSET_CLASSES] == h->section[WEBSET_ENTRIES].count;
}

static bool is_string_good(const struct webset *w, uint32_t offset, uint32_t len)
{
	uint64_t size = section_count(w, WEBSET_STRINGS);
	const char *strings = section(w, WEBSET_STRINGS);
	return offset < size && len < size - offset && !strings[offset + len];
}

static bool are_needs_good(const struct webset *w, const struct webset_entry *e)
{
	uint64_t at = e->needs, size = section_count(w, WEBSET_STRINGS);
	for (unsigned i = 0; i < e->needs_count; i++) {
		if (at >= size)
			return false;
		at += strlen((const char *)section(w, WEBSET_STRINGS) + at) + 1;
	}
	return at <= size;
}

static bool are_entries_good(const struct webset *w)
{
	const struct webset_entry *e = section(w, WEBSET_ENTRIES);
	uint64_t size = section_count(w, WEBSET_STRINGS);
	/* Every string that starts inside ends inside. */
	if (!size || ((const char *)section(w, WEBSET_STRINGS))[size - 1])
		return false;
	for (uint64_t i = 0; i < section_count(w, WEBSET_ENTRIES); i++)
		if (!is_string_good(w, e[i].text, e[i].text_len) || e[i].id >= size ||
			e[i].category >= size || e[i].needs >= size || !are_needs_good(w, &e[i]) ||
			e[i].match > MATCH_WILDCARD)
			return false;
	return true;
}

static bool are_slots_good(const struct webset *w)
{
	const uint32_t *slots = section(w, WEBSET_SLOTS);
	uint64_t count = section_count(w, WEBSET_SLOTS), empty = 0;
	if (!count || (count & (count - 1)))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		if (slots[i] > w->header->class_first[WEBSET_HASHED + 1])
			return false;
		empty += !slots[i];
	}
	return empty > 0; /* probing ends */
}

static bool are_nodes_good(const struct webset *w, int table)
{
	const struct webset_node *n = section(w, WEBSET_NODES + table);
	uint32_t first = w->header->class_first[WEBSET_PREFIX_HOST + table];
	uint32_t end = w->header->class_first[WEBSET_PREFIX_HOST + table + 1];
	for (uint64_t i = 0; i < section_count(w, WEBSET_NODES + table); i++)
		if (n[i].first < first || n[i].first >= end || n[i].count > end - n[i].first ||
			(n[i].parent != WEBSET_NONE && n[i].parent >= i))
			return false;
	return true;
}

static bool is_state_good(const struct webset *w, int which, uint64_t number)
{
	const struct webset_state *s =
		(const struct webset_state *)section(w, WEBSET_STATES + which) + number;
	uint64_t edges = section_count(w, WEBSET_EDGES + which);
	uint64_t ends = section_count(w, WEBSET_ENDS + which);
	if (s->edge_first > edges || s->edge_count > edges - s->edge_first || s->end_first > ends ||
		s->end_count > ends - s->end_first)
		return false;
	/* The ways back become shorter; a link leads to where something ends. */
	if (number && (s->fail >= number || s->link >= number))
		return false;
	if (!number && (s->fail || s->link || s->end_count))
		return false;
	return !s->link || (s - number + s->link)->end_count;
}

static bool is_automaton_good(const struct webset *w, int which)
{
	const uint32_t *targets = section(w, WEBSET_TARGETS + which);
	const uint32_t *ends = section(w, WEBSET_ENDS + which);
	uint32_t first = w->header->class_first[WEBSET_SEARCH_HOST + which];
	uint32_t end = w->header->class_first[WEBSET_SEARCH_HOST + which + 1];
	uint64_t states = section_count(w, WEBSET_STATES + which);
	if (!states ||
		section_count(w, WEBSET_EDGES + which) != section_count(w, WEBSET_TARGETS + which))
		return false;
	for (uint64_t i = 0; i < states; i++)
		if (!is_state_good(w, which, i))
			return false;
	for (uint64_t i = 0; i < section_count(w, WEBSET_TARGETS + which); i++)
		if (targets[i] >= states)
			return false;
	for (uint64_t i = 0; i < section_count(w, WEBSET_ENDS + which); i++)
		if (ends[i] < first || ends[i] >= end)
			return false;
	return true;
}

static bool is_good(const struct webset *w, size_t len)
{
	const struct webset_header *h = w->header;
	if (!is_header_good(h, len) ||
		siphash13(h->key, w->image + WEBSET_CHECKED_FROM, len - WEBSET_CHECKED_FROM) !=
			h->checksum ||
		!are_entries_good(w) || !are_slots_good(w))
		return false;
	for (int i = 0; i < WEBSET_TABLES; i++)
		if (!are_nodes_good(w, i))
			return false;
	for (int i = 0; i < WEBSET_AUTOMATA; i++)
		if (!is_automaton_good(w, i))
			return false;
	return true;
}

/* ---- opening ---- */

int webset_open(const void *image, size_t len, struct webset *out)
{
	*out = (struct webset){ .image = image, .len = len, .header = image };
	if ((uintptr_t)image % 8)
		return -EINVAL;
	if (len < sizeof(*out->header) || !is_good(out, len))
		return -EBADMSG;
	for (int i = 0; i < WEBSET_AUTOMATA; i++) {
		out->seen[i] = calloc(section_count(out, WEBSET_ENDS + i) + 1, sizeof(uint32_t));
		out->starts[i] = webset_starts_new(out, i);
		if (!out->seen[i] || !out->starts[i]) {
			webset_close(out);
			return -ENOMEM;
		}
	}
	for (int i = 0; i < WEBSET_TABLES; i++) {
		if (webset_is_backwards(WEBSET_PREFIX_HOST + i))
			continue;
		out->prefixes[i] = webset_starts_new_table(out, i);
		if (!out->prefixes[i]) {
			webset_close(out);
			return -ENOMEM;
		}
	}
	return 0;
}

int webset_open_file(const char *path, struct webset *out)
{
	const void *map;
	size_t len;
	int err = file_map(path, sizeof(struct webset_header), &map, &len);
	if (err)
		return err;
	err = webset_open(map, len, out);
	if (err)
		file_unmap(map, len);
	else
		out->mapped = true;
	return err;
}

void webset_close(struct webset *w)
{
	for (int i = 0; i < WEBSET_AUTOMATA; i++) {
		free(w->seen[i]);
		free(w->starts[i]);
	}
	for (int i = 0; i < WEBSET_TABLES; i++)
		free(w->prefixes[i]);
	if (w->mapped)
		file_unmap(w->image, w->len);
	*w = (struct webset){ 0 };
}
