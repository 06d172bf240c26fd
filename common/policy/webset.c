/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/webset_image.h"
#include "common/policy/webset_starts.h"
#include "common/siphash.h"
#include <string.h>

/* One lookup. */
struct finder {
	struct webset *w;
	bool (*on_match)(void *arg, const struct webset_rule *rule);
	void *arg;
	size_t compared; /* bytes that patterns with `*` were held against */
	bool ended;
};

/* A hostile URL may hold the longest run of thousands of patterns. */
#define COMPARED_MAX (4u << 20)

static const void *section(const struct webset *w, int which)
{
	return w->image + w->header->section[which].offset;
}

static const char *string_at(const struct webset *w, uint32_t offset)
{
	return (const char *)section(w, WEBSET_STRINGS) + offset;
}

static void report_as(struct finder *f, uint32_t entry, bool closed)
{
	const struct webset_entry *e =
		(const struct webset_entry *)section(f->w, WEBSET_ENTRIES) + entry;
	struct webset_rule rule = { .pattern = string_at(f->w, e->text),
		.pattern_len = e->text_len,
		.id = string_at(f->w, e->id),
		.category = string_at(f->w, e->category),
		.match = e->match,
		.is_url = e->flags & WEBSET_IS_URL,
		.closed = closed || (e->flags & WEBSET_CLOSED),
		.is_list = e->flags & WEBSET_IS_LIST,
		.images = e->flags >> WEBSET_IMAGES_SHIFT & 3,
		.words = e->flags >> WEBSET_WORDS_SHIFT & 3,
		.needs = string_at(f->w, e->needs),
		.needs_count = e->needs_count };
	if (!f->ended && !f->on_match(f->arg, &rule))
		f->ended = true;
}

static void report(struct finder *f, uint32_t entry)
{
	report_as(f, entry, false);
}

/* ---- hash ---- */

enum { EXACT = 1, ENDSWITH = 2 };

/* Reports the exact rules of a text, its endswith rules. */
static void find_hashed(struct finder *f, const char *text, size_t len, unsigned which)
{
	const struct webset *w = f->w;
	const struct webset_entry *entries = section(w, WEBSET_ENTRIES);
	const uint32_t *slots = section(w, WEBSET_SLOTS);
	uint64_t mask = w->header->section[WEBSET_SLOTS].count - 1;
	uint64_t slot = siphash13(w->header->key, text, len) & mask;
	uint32_t end = w->header->class_first[WEBSET_HASHED + 1];
	while (slots[slot]) {
		const struct webset_entry *e = &entries[slots[slot] - 1];
		if (e->text_len == len && !memcmp(string_at(w, e->text), text, len))
			break;
		slot = (slot + 1) & mask;
	}
	if (!slots[slot])
		return;
	for (uint32_t i = slots[slot] - 1, first = i; i < end; i++) {
		if (entries[i].text != entries[first].text)
			return;
		if (which & (entries[i].match == MATCH_EXACT ? EXACT : ENDSWITH))
			report(f, i);
	}
}

static void find_hosts(struct finder *f, const char *host, size_t len)
{
	for (unsigned which = EXACT | ENDSWITH; len; which = ENDSWITH) {
		find_hashed(f, host, len, which);
		const char *dot = memchr(host, '.', len);
		size_t skip = dot ? (size_t)(dot - host) + 1 : len;
		host += skip;
		len -= skip;
	}
}

/* ---- sorted tables ---- */

static bool is_part(bool backwards, const struct webset *w, const struct webset_entry *e,
	const char *s, size_t len)
{
	return e->text_len <= len &&
	       !memcmp(backwards ? s + len - e->text_len : s, string_at(w, e->text), e->text_len);
}

/* The last node whose text is not greater than the subject, WEBSET_NONE. */
static uint32_t find_node(const struct webset *w, int table, const char *s, size_t len)
{
	const struct webset_entry *entries = section(w, WEBSET_ENTRIES);
	const struct webset_node *nodes = section(w, WEBSET_NODES + table);
	bool backwards = webset_is_backwards(WEBSET_PREFIX_HOST + table);
	uint64_t low = 0, high = w->header->section[WEBSET_NODES + table].count;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		const struct webset_entry *e = &entries[nodes[middle].first];
		const char *text = string_at(w, e->text);
		int order = backwards ? webset_byte_compare_back(text, e->text_len, s, len)
				      : webset_byte_compare(text, e->text_len, s, len);
		if (order <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? (uint32_t)(low - 1) : WEBSET_NONE;
}

static void find_sorted(struct finder *f, int table, const char *s, size_t len)
{
	const struct webset *w = f->w;
	const struct webset_entry *entries = section(w, WEBSET_ENTRIES);
	const struct webset_node *nodes = section(w, WEBSET_NODES + table);
	bool backwards = webset_is_backwards(WEBSET_PREFIX_HOST + table);
	if (w->prefixes[table] && !webset_starts_has(w->prefixes[table], s, len))
		return;
	for (uint32_t n = find_node(w, table, s, len); n != WEBSET_NONE; n = nodes[n].parent) {
		if (!is_part(backwards, w, &entries[nodes[n].first], s, len))
			continue;
		for (uint32_t i = 0; i < nodes[n].count; i++)
			report(f, nodes[n].first + i);
	}
}

/* ---- automata ---- */

static uint32_t step(const struct webset_state *states, const uint8_t *edges,
	const uint32_t *targets, uint32_t at, uint8_t byte)
{
	for (;;) {
		uint32_t low = states[at].edge_first, high = low + states[at].edge_count;
		uint32_t end = high;
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;
			if (edges[middle] < byte)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < end && edges[low] == byte)
			return targets[low];
		if (!at)
			return 0;
		at = states[at].fail;
	}
}

/* The literal is there; what is around it still has to fit. */
static void report_found(struct finder *f, uint32_t entry, const char *s, size_t len)
{
	const struct webset_entry *e =
		(const struct webset_entry *)section(f->w, WEBSET_ENTRIES) + entry;
	const struct pattern p = { .match = e->match,
		.is_url = e->flags & WEBSET_IS_URL,
		.text = (char *)string_at(f->w, e->text),
		.len = e->text_len };
	if (e->match == MATCH_CONTAINS) {
		report(f, entry);
		return;
	}
	bool too_much = f->compared > COMPARED_MAX;
	f->compared += len;
	if (too_much || pattern_matches(&p, s, len))
		report_as(f, entry, too_much);
}

static void find_anywhere(struct finder *f, int which, const char *s, size_t len)
{
	struct webset *w = f->w;
	const struct webset_state *states = section(w, WEBSET_STATES + which);
	const uint8_t *edges = section(w, WEBSET_EDGES + which);
	const uint32_t *targets = section(w, WEBSET_TARGETS + which);
	const uint32_t *ends = section(w, WEBSET_ENDS + which);
	uint32_t at = 0;
	if (!w->header->section[WEBSET_ENDS + which].count)
		return;
	for (size_t i = 0; i < len; i++) {
		if (!at && !webset_starts_has(w->starts[which], s + i, len - i))
			continue;
		at = step(states, edges, targets, at, (uint8_t)s[i]);
		uint32_t found = states[at].end_count ? at : states[at].link;
		/* Where a state was reported, so were all behind it. */
		for (; found && w->seen[which][states[found].end_first] != w->turn;
			found = states[found].link) {
			w->seen[which][states[found].end_first] = w->turn;
			for (uint32_t e = 0; e < states[found].end_count; e++)
				report_found(f, ends[states[found].end_first + e], s, len);
		}
	}
}

static void find_always(struct finder *f, const struct rule_subject *s)
{
	const uint32_t *first = f->w->header->class_first;
	const struct webset_entry *entries = section(f->w, WEBSET_ENTRIES);
	for (uint32_t i = first[WEBSET_ALWAYS]; i < first[WEBSET_ALWAYS + 1]; i++)
		if (s->url || !(entries[i].flags & WEBSET_IS_URL))
			report(f, i);
}

static void begin_turn(struct webset *w)
{
	if (++w->turn)
		return;
	for (int i = 0; i < WEBSET_AUTOMATA; i++)
		memset(w->seen[i], 0,
			w->header->section[WEBSET_ENDS + i].count * sizeof(*w->seen[i]));
	w->turn = 1;
}

void webset_find(struct webset *w, const struct rule_subject *s,
	bool (*on_match)(void *arg, const struct webset_rule *rule), void *arg)
{
	struct finder f = { .w = w, .on_match = on_match, .arg = arg };
	size_t www = pattern_www_len(s->host, s->host_len);
	begin_turn(w);
	find_hosts(&f, s->host + www, s->host_len - www);
	find_sorted(&f, 0, s->host, s->host_len);
	find_sorted(&f, 2, s->host + www, s->host_len - www);
	find_anywhere(&f, 0, s->host, s->host_len);
	find_always(&f, s);
	if (!s->url)
		return;
	www = pattern_www_len(s->url, s->url_len);
	find_hashed(&f, s->url + www, s->url_len - www, EXACT);
	find_sorted(&f, 1, s->url, s->url_len);
	find_sorted(&f, 3, s->url + www, s->url_len - www);
	find_sorted(&f, 4, s->url + www, s->url_len - www);
	find_anywhere(&f, 1, s->url, s->url_len);
}

bool webset_has_urls(const struct webset *w, const char *host, size_t len)
{
	const struct webset_entry *entries = section(w, WEBSET_ENTRIES);
	size_t n = w->header->section[WEBSET_ENTRIES].count;

	for (size_t i = 0; i < n; i++) {
		const struct webset_entry *e = &entries[i];
		const struct pattern p = { .match = e->match,
			.is_url = true,
			.text = (char *)string_at(w, e->text),
			.len = e->text_len };
		if ((e->flags & (WEBSET_IS_URL | WEBSET_IS_LIST)) == WEBSET_IS_URL &&
			pattern_may_be_of(&p, host, len))
			return true;
	}
	return false;
}

bool webset_find_list_urls(const struct webset *w, const char *host, size_t len,
	bool (*on_list)(void *arg, const char *list), void *arg)
{
	enum { TABLE = WEBSET_PREFIX_LIST - WEBSET_PREFIX_HOST };
	const struct webset_entry *entries = section(w, WEBSET_ENTRIES);
	const struct webset_node *nodes = section(w, WEBSET_NODES + TABLE);
	size_t www = pattern_www_len(host, len);
	char prefix[256 + 1];
	uint32_t n;

	host += www;
	len -= www;
	if (len >= sizeof(prefix))
		return false;
	memcpy(prefix, host, len);
	prefix[len++] = '/';
	/* What begins with it comes right behind it, or is it. */
	n = find_node(w, TABLE, prefix, len);
	if (n == WEBSET_NONE || entries[nodes[n].first].text_len != len)
		n = n == WEBSET_NONE ? 0 : n + 1;
	for (; n < w->header->section[WEBSET_NODES + TABLE].count; n++) {
		const struct webset_entry *e = &entries[nodes[n].first];

		if (e->text_len < len || memcmp(string_at(w, e->text), prefix, len) != 0)
			break;
		for (uint32_t i = 0; i < nodes[n].count; i++) {
			if (on_list(arg, string_at(w, e[i].category)))
				return true;
		}
	}
	return false;
}

size_t webset_count(const struct webset *w)
{
	return w->header->section[WEBSET_ENTRIES].count;
}
