/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/webset.h"

/*
 * What a web set's image looks like; for common/policy/webset*.c only. Native byte order (the magic
 * number tells a foreign one).
 *
 *   header | sections, each at an offset divisible by 8
 *
 * Entries stand ordered by class, inside a class by text (suffixes by the text read backwards), so
 * that rules of one text are neighbours. A slot of the hash table is 1 + the first entry of a text;
 * linear probing; 0 = empty. A node of a sorted table is one text; parent is the longest other text
 * that it begins (ends) with, so that all that match a subject are the greatest text up to it and
 * its forebears. The automata (Aho and Corasick; one for hosts, one for URLs) know the longest
 * literal run of each pattern.
 */
#define WEBSET_MAGIC	    0x3174657362657721ULL /* "!webset1" */
#define WEBSET_VERSION	    1u
#define WEBSET_NONE	    UINT32_MAX
#define WEBSET_CHECKED_FROM 16 /* bytes before it: magic, checksum */

enum webset_class {
	WEBSET_HASHED, /* exact; host endswith */
	WEBSET_PREFIX_HOST,
	WEBSET_PREFIX_URL,
	WEBSET_SUFFIX_HOST, /* endswith that begins with a dot */
	WEBSET_SUFFIX_URL,
	WEBSET_PREFIX_LIST, /* URL prefixes of lists, without www. */
	WEBSET_SEARCH_HOST, /* contains, wildcard */
	WEBSET_SEARCH_URL,
	WEBSET_ALWAYS, /* wildcards without any literal */
	WEBSET_CLASSES
};
#define WEBSET_TABLES	5 /* sorted tables: class WEBSET_PREFIX_HOST + n */
#define WEBSET_AUTOMATA 2 /* class WEBSET_SEARCH_HOST + n */

enum webset_section {
	WEBSET_ENTRIES,
	WEBSET_SLOTS,
	WEBSET_NODES,					 /* WEBSET_TABLES of them */
	WEBSET_STATES = WEBSET_NODES + WEBSET_TABLES,	 /* two of each from here */
	WEBSET_EDGES = WEBSET_STATES + WEBSET_AUTOMATA,	 /* the byte of each edge */
	WEBSET_TARGETS = WEBSET_EDGES + WEBSET_AUTOMATA, /* the state it leads to */
	WEBSET_ENDS = WEBSET_TARGETS + WEBSET_AUTOMATA,	 /* entries whose literal ends in a state */
	WEBSET_STRINGS = WEBSET_ENDS + WEBSET_AUTOMATA,
	WEBSET_SECTIONS
};

struct webset_entry {
	uint32_t text, text_len; /* offset into the strings */
	uint32_t id, category, needs;
	uint16_t needs_count;
	uint8_t match;
	uint8_t flags;
};
enum {
	WEBSET_IS_URL = 1,
	WEBSET_CLOSED = 2,
	WEBSET_IS_LIST = 64,
	WEBSET_IMAGES_SHIFT = 2,
	WEBSET_WORDS_SHIFT = 4
};

struct webset_node {
	uint32_t first, count; /* entries */
	uint32_t parent;       /* a node before this one, WEBSET_NONE */
};

/* States stand in order of their depth; 0 is the root. */
struct webset_state {
	uint32_t edge_first, edge_count; /* by byte */
	uint32_t fail;			 /* the longest proper suffix that is a state */
	uint32_t link; /* the next on that way in which something ends, 0 = none */
	uint32_t end_first, end_count;
};

struct webset_header {
	uint64_t magic;
	uint64_t checksum; /* SipHash-1-3 under key of all that follows this field */
	uint32_t version;
	uint32_t sections;
	uint64_t len; /* of the image */
	uint8_t key[16];
	struct {
		uint64_t offset, count;
	} section[WEBSET_SECTIONS];
	uint32_t class_first[WEBSET_CLASSES + 1]; /* entries of class n: from [n] up to [n + 1] */
	uint32_t reserved;
};
_Static_assert(sizeof(struct webset_entry) == 24, "entries have no holes");
_Static_assert(sizeof(struct webset_header) % 8 == 0, "sections are aligned");

static inline size_t webset_element_size(int section)
{
	if (section == WEBSET_ENTRIES)
		return sizeof(struct webset_entry);
	if (section >= WEBSET_NODES && section < WEBSET_STATES)
		return sizeof(struct webset_node);
	if (section >= WEBSET_STATES && section < WEBSET_EDGES)
		return sizeof(struct webset_state);
	if (section >= WEBSET_EDGES && section < WEBSET_TARGETS)
		return 1;
	return section == WEBSET_STRINGS ? 1 : sizeof(uint32_t);
}

static inline int webset_byte_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
	return a_len < b_len ? -1 : a_len > b_len;
}

/* The same, read backwards. */
static inline int webset_byte_compare_back(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	for (size_t i = 1; i <= n; i++)
		if (a[a_len - i] != b[b_len - i])
			return (unsigned char)a[a_len - i] < (unsigned char)b[b_len - i] ? -1 : 1;
	return a_len < b_len ? -1 : a_len > b_len;
}

static inline bool webset_is_backwards(enum webset_class c)
{
	return c == WEBSET_SUFFIX_HOST || c == WEBSET_SUFFIX_URL;
}
