/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images of website rules by somebody who can compute their checksum: whatever a lookup follows is
 * looked at. */
#include "common/policy/webset.h"
#include "common/policy/webset_image.h"
#include "common/siphash.h"
#include "tests/unit/tap.h"
#include <errno.h>

struct world {
	struct buf image, kept;
	struct webset_header *h;
};

static void add(struct webset_builder *b, const char *pattern, int match)
{
	char *needs[] = { "cdn.example" };
	struct rec_website site = { .id = (char *)pattern,
		.pattern = (char *)pattern,
		.match = match,
		.category = "c",
		.needs = { needs, 1 } };

	rec_mark(&site, website, match);
	INT_IS(webset_builder_add(b, &site), 0);
}

static void world_init(struct world *w)
{
	static const uint8_t key[16] = "a fixed key here";
	struct webset_builder *b = webset_builder_new();

	webset_builder_set_key(b, key);
	add(b, "exact.example", MATCH_EXACT);
	add(b, "below.example", MATCH_ENDSWITH);
	add(b, "a", MATCH_STARTSWITH);
	add(b, "ab", MATCH_STARTSWITH);
	add(b, "ac", MATCH_STARTSWITH);
	add(b, "she", MATCH_CONTAINS);
	add(b, "he", MATCH_CONTAINS);
	add(b, "hers", MATCH_CONTAINS);
	add(b, "*", MATCH_WILDCARD);
	buf_init(&w->image, 0);
	buf_init(&w->kept, 0);
	INT_IS(webset_builder_finish(b, &w->image), 0);
	webset_builder_free(b);
	INT_IS(buf_append(&w->kept, w->image.data, w->image.len), 0);
	w->h = (void *)w->image.data;
}

static void world_fini(struct world *w)
{
	buf_fini(&w->image);
	buf_fini(&w->kept);
}

/* What webset_open says of the image as it was changed; all is as before afterwards. */
static int open_len(struct world *w, size_t len)
{
	struct webset set;

	w->h->checksum = siphash13(
		w->h->key, w->image.data + WEBSET_CHECKED_FROM, len - WEBSET_CHECKED_FROM);
	int err = webset_open(w->image.data, len, &set);
	if (!err)
		webset_close(&set);
	memcpy(w->image.data, w->kept.data, w->kept.len);
	return err;
}

static int open_changed(struct world *w)
{
	return open_len(w, w->image.len);
}

static void *section(struct world *w, int which)
{
	return w->image.data + w->h->section[which].offset;
}

static uint32_t count(const struct world *w, int which)
{
	return (uint32_t)w->h->section[which].count;
}

/* One field of the image is another; the image is refused, or not. */
#define WITH(w, field, value, want)                                                                \
	do {                                                                                       \
		(field) = (value);                                                                 \
		INT_IS(open_changed(w), (want));                                                   \
	} while (0)
#define REFUSES(w, field, value) WITH(w, field, value, -EBADMSG)
#define TAKES(w, field, value)	 WITH(w, field, value, 0)

static void test_another_kind_of_image_is_refused(void)
{
	struct world w;

	world_init(&w);
	INT_IS(open_changed(&w), 0);
	REFUSES(&w, w.h->magic, WEBSET_MAGIC + 1);
	REFUSES(&w, w.h->version, WEBSET_VERSION + 1);
	REFUSES(&w, w.h->sections, WEBSET_SECTIONS - 1);
	REFUSES(&w, w.h->len, w.image.len + 8);
	w.h->len = w.image.len - 8;
	INT_IS(open_len(&w, w.image.len - 8), -EBADMSG); /* the strings end outside */
	world_fini(&w);
}

/* Of a section without elements only the place can be wrong. */
static void test_sections_lie_behind_the_header_and_inside(void)
{
	struct world w;

	world_init(&w);
	uint64_t *offset = &w.h->section[WEBSET_NODES + 1].offset;
	INT_IS(count(&w, WEBSET_NODES + 1), 0);
	TAKES(&w, *offset, sizeof(*w.h));
	TAKES(&w, *offset, w.image.len);
	REFUSES(&w, *offset, sizeof(*w.h) - 8);
	REFUSES(&w, *offset, w.image.len + 8);
	REFUSES(&w, *offset, sizeof(*w.h) + 4);
	REFUSES(&w, w.h->section[WEBSET_NODES + 1].count, 1ULL << 32);
	uint64_t room = w.image.len - w.h->section[WEBSET_STRINGS].offset;
	REFUSES(&w, w.h->section[WEBSET_STRINGS].count, room + 1);
	/* A product of count and size that is small again. */
	REFUSES(&w, w.h->section[WEBSET_SLOTS].count, (1ULL << 62) + count(&w, WEBSET_SLOTS));
	world_fini(&w);
}

static void test_classes_of_entries_are_in_order(void)
{
	struct world w;

	world_init(&w);
	uint32_t *first = w.h->class_first;
	REFUSES(&w, first[0], 1);
	REFUSES(&w, first[WEBSET_CLASSES], first[WEBSET_CLASSES] - 1);
	REFUSES(&w, first[WEBSET_CLASSES], first[WEBSET_CLASSES] + 1);
	/* Behind the tables and automata none looks but the class's own. */
	TAKES(&w, first[WEBSET_ALWAYS], first[WEBSET_CLASSES]);
	REFUSES(&w, first[WEBSET_ALWAYS], first[WEBSET_CLASSES] + 1);
	world_fini(&w);
}

static void test_strings_start_and_end_inside(void)
{
	struct world w;

	world_init(&w);
	struct webset_entry *e = section(&w, WEBSET_ENTRIES);
	char *strings = section(&w, WEBSET_STRINGS);
	uint32_t size = count(&w, WEBSET_STRINGS);
	REFUSES(&w, strings[size - 1], 'x');
	REFUSES(&w, e[0].text, size);
	REFUSES(&w, e[0].text_len, e[0].text_len + 1);
	REFUSES(&w, e[0].text_len, size - e[0].text);
	e[0].text_len = 0;
	TAKES(&w, e[0].text, size - 1);
	REFUSES(&w, e[0].id, size);
	TAKES(&w, e[0].id, size - 1);
	REFUSES(&w, e[0].category, size);
	TAKES(&w, e[0].category, size - 1);
	world_fini(&w);
}

static void test_needs_and_matches_are_those_there_are(void)
{
	struct world w;

	world_init(&w);
	struct webset_entry *e = section(&w, WEBSET_ENTRIES);
	uint32_t size = count(&w, WEBSET_STRINGS);
	e[0].needs_count = 0;
	REFUSES(&w, e[0].needs, size);
	REFUSES(&w, e[0].needs_count, UINT16_MAX);
	e[0].needs_count = 1;
	TAKES(&w, e[0].needs, size - 1);
	e[0].needs_count = 2;
	REFUSES(&w, e[0].needs, size - 1);
	TAKES(&w, e[0].match, MATCH_WILDCARD);
	REFUSES(&w, e[0].match, MATCH_WILDCARD + 1);
	world_fini(&w);
}

static void test_slots_lead_to_hashed_rules_and_one_is_empty(void)
{
	struct world w;

	world_init(&w);
	uint32_t *slots = section(&w, WEBSET_SLOTS), n = count(&w, WEBSET_SLOTS);
	uint32_t hashed = w.h->class_first[WEBSET_HASHED + 1];
	TAKES(&w, slots[0], hashed);
	REFUSES(&w, slots[0], hashed + 1);
	REFUSES(&w, w.h->section[WEBSET_SLOTS].count, n - 1);
	REFUSES(&w, w.h->section[WEBSET_SLOTS].count, 0);
	for (uint32_t i = 0; i < n; i++)
		slots[i] = 1;
	INT_IS(open_changed(&w), -EBADMSG);
	for (uint32_t i = 0; i < n - 1; i++)
		slots[i] = 1;
	slots[n - 1] = 0;
	INT_IS(open_changed(&w), 0);
	world_fini(&w);
}

static void test_nodes_hold_rules_of_their_table_and_lead_back(void)
{
	struct world w;

	world_init(&w);
	struct webset_node *n = section(&w, WEBSET_NODES);
	uint32_t first = w.h->class_first[WEBSET_PREFIX_HOST];
	uint32_t end = w.h->class_first[WEBSET_PREFIX_HOST + 1];
	INT_IS(count(&w, WEBSET_NODES), 3);
	REFUSES(&w, n[0].first, first - 1);
	REFUSES(&w, n[2].first, end);
	n[2].count = 0;
	REFUSES(&w, n[2].first, end);
	TAKES(&w, n[0].count, end - first);
	REFUSES(&w, n[0].count, end - first + 1);
	REFUSES(&w, n[2].count, 2);
	INT_IS(n[1].parent, 0);
	TAKES(&w, n[2].parent, 1);
	REFUSES(&w, n[2].parent, 2);
	REFUSES(&w, n[2].parent, 3);
	REFUSES(&w, n[0].parent, 0);
	/* Each table is looked at: one that is empty has no rule for a node. */
	w.h->section[WEBSET_NODES + WEBSET_TABLES - 1] = w.h->section[WEBSET_NODES];
	INT_IS(open_changed(&w), -EBADMSG);
	world_fini(&w);
}

/* The number of the state that a text leads to. */
static uint32_t find_state(struct world *w, const char *text)
{
	const struct webset_state *s = section(w, WEBSET_STATES);
	const uint8_t *edges = section(w, WEBSET_EDGES);
	const uint32_t *targets = section(w, WEBSET_TARGETS);
	uint32_t at = 0;

	for (; *text; text++) {
		uint32_t i = s[at].edge_first;
		while (edges[i] != (uint8_t)*text)
			i++;
		at = targets[i];
	}
	return at;
}

static void test_states_have_their_edges_and_ends_inside(void)
{
	struct world w;

	world_init(&w);
	struct webset_state *s = section(&w, WEBSET_STATES);
	uint32_t edges = count(&w, WEBSET_EDGES), ends = count(&w, WEBSET_ENDS);
	uint32_t leaf = find_state(&w, "hers");
	INT_IS(s[leaf].edge_count, 0);
	TAKES(&w, s[leaf].edge_first, edges);
	REFUSES(&w, s[leaf].edge_first, edges + 1);
	TAKES(&w, s[leaf].edge_count, edges - s[leaf].edge_first);
	REFUSES(&w, s[leaf].edge_count, edges - s[leaf].edge_first + 1);
	TAKES(&w, s[leaf].end_count, ends - s[leaf].end_first);
	REFUSES(&w, s[leaf].end_count, ends - s[leaf].end_first + 1);
	s[leaf].end_count = 0;
	TAKES(&w, s[leaf].end_first, ends);
	s[leaf].end_count = 0;
	REFUSES(&w, s[leaf].end_first, ends + 1);
	REFUSES(&w, w.h->section[WEBSET_EDGES].count, edges - 1);
	REFUSES(&w, w.h->section[WEBSET_STATES].count, 0);
	world_fini(&w);
}

static void test_ways_back_become_shorter_and_links_lead_to_ends(void)
{
	struct world w;

	world_init(&w);
	struct webset_state *s = section(&w, WEBSET_STATES);
	uint32_t she = find_state(&w, "she"), he = find_state(&w, "he");
	uint32_t h = find_state(&w, "h");
	INT_IS(s[she].fail, he);
	INT_IS(s[she].link, he);
	REFUSES(&w, s[he].fail, he);
	REFUSES(&w, s[he].fail, he + 1);
	REFUSES(&w, s[she].link, she);
	REFUSES(&w, s[she].link, h);
	TAKES(&w, s[she].link, 0);
	REFUSES(&w, s[0].fail, 1);
	REFUSES(&w, s[0].link, he);
	REFUSES(&w, s[0].end_count, 1);
	world_fini(&w);
}

static void test_edges_lead_to_states_and_ends_to_rules_of_their_automaton(void)
{
	struct world w;

	world_init(&w);
	uint32_t *targets = section(&w, WEBSET_TARGETS), *ends = section(&w, WEBSET_ENDS);
	uint32_t states = count(&w, WEBSET_STATES);
	uint32_t last = count(&w, WEBSET_TARGETS) - 1;
	uint32_t first = w.h->class_first[WEBSET_SEARCH_HOST];
	uint32_t end = w.h->class_first[WEBSET_SEARCH_HOST + 1];
	TAKES(&w, targets[last], states - 1);
	REFUSES(&w, targets[last], states);
	REFUSES(&w, targets[0], states);
	TAKES(&w, ends[0], first);
	REFUSES(&w, ends[0], first - 1);
	TAKES(&w, ends[0], end - 1);
	REFUSES(&w, ends[0], end);
	REFUSES(&w, ends[count(&w, WEBSET_ENDS) - 1], end);
	/* Each automaton is looked at: that for URLs has one state and no rule. */
	REFUSES(&w, w.h->section[WEBSET_STATES + 1].count, 0);
	world_fini(&w);
}

static void test_an_image_out_of_step_with_memory_is_none(void)
{
	struct world w;
	struct webset set;

	world_init(&w);
	INT_IS(webset_open(w.image.data + 4, w.image.len - 4, &set), -EINVAL);
	INT_IS(webset_open(w.image.data, sizeof(*w.h) - 8, &set), -EBADMSG);
	world_fini(&w);
}

int main(void)
{
	TAP_RUN(test_another_kind_of_image_is_refused);
	TAP_RUN(test_sections_lie_behind_the_header_and_inside);
	TAP_RUN(test_classes_of_entries_are_in_order);
	TAP_RUN(test_strings_start_and_end_inside);
	TAP_RUN(test_needs_and_matches_are_those_there_are);
	TAP_RUN(test_slots_lead_to_hashed_rules_and_one_is_empty);
	TAP_RUN(test_nodes_hold_rules_of_their_table_and_lead_back);
	TAP_RUN(test_states_have_their_edges_and_ends_inside);
	TAP_RUN(test_ways_back_become_shorter_and_links_lead_to_ends);
	TAP_RUN(test_edges_lead_to_states_and_ends_to_rules_of_their_automaton);
	TAP_RUN(test_an_image_out_of_step_with_memory_is_none);
	return tap_done();
}
