/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/codec.h"
#include "common/policy/pattern.h"
#include "common/policy/rule_index.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The website rules (SPEC P5, Patterns), compiled by syncd into one immutable image that the other
 * daemons map read-only: a hash for exact hosts and URLs and for host subtrees, sorted tables for
 * prefixes and suffixes, an automaton for what may stand anywhere. The time of a lookup hardly
 * grows with the number of rules.
 */

/* ---- building ---- */

struct webset_builder;
struct webset_builder *webset_builder_new(void);
void webset_builder_free(struct webset_builder *b);
/* Copies what it needs. Sites that are not approved are left out (returns 0). -EINVAL: the pattern
 * matches nothing; -ENOMEM; -E2BIG: more than a million rules or a gigabyte. */
int webset_builder_add(struct webset_builder *b, const struct rec_website *site);
/* A URL prefix of a list (P6): "http://d/p", "d/p". Errors as above. */
int webset_builder_add_url(struct webset_builder *b, const char *list, const char *url, size_t len);
/* Before the first add: the same key and rules give the same image, whatever their order. Without
 * it the key is random. */
void webset_builder_set_key(struct webset_builder *b, const uint8_t key[static 16]);
size_t webset_builder_count(const struct webset_builder *b);
/* Compiles into out, which is empty. The builder is spent. -ENOMEM, -E2BIG. */
int webset_builder_finish(struct webset_builder *b, struct buf *out);

/* ---- reading ---- */

enum webset_media { WEBSET_MEDIA_INHERIT, WEBSET_MEDIA_HIDE, WEBSET_MEDIA_SHOW };

/* A rule as compiled; the strings lie in the image and end in zero. */
struct webset_rule {
	const char *pattern, *id, *category;
	size_t pattern_len;
	int match; /* enum match */
	bool is_url;
	bool closed;  /* its record could not be read: it blocks */
	bool is_list; /* a URL prefix of the list whose id is category */
	enum webset_media images, words;
	const char *needs; /* needs_count strings, one after the other */
	size_t needs_count;
};

struct webset {
	const uint8_t *image;
	size_t len;
	bool mapped;
	const struct webset_header *header;
	uint32_t *seen[2];		   /* of the two automata: when an end was last reported */
	struct webset_starts *starts[2];   /* and where their literals may begin */
	struct webset_starts *prefixes[5]; /* the same of tables of prefixes; NULL for suffixes */
	uint32_t turn;
};

/* Checks checksum, bounds and every reference: a corrupt byte is -EBADMSG. The image is at an
 * address divisible by 8 (-EINVAL else), stays the caller's and must outlive the set. -ENOMEM. */
int webset_open(const void *image, size_t len, struct webset *out);
/* Maps a file read-only. */
int webset_open_file(const char *path, struct webset *out);
void webset_close(struct webset *w);
/* Is there a rule of a website with a path (or with a scheme) that may be for that host? Takes time
 * linear in such rules. Lists' are left out: their names are in the domain set. */
bool webset_has_urls(const struct webset *w, const char *host, size_t len);
/* Calls on_list with the id of the list of each URL prefix of that host, until it returns true:
 * true. Takes time linear in these. */
bool webset_find_list_urls(const struct webset *w, const char *host, size_t len,
	bool (*on_list)(void *arg, const char *list), void *arg);
size_t webset_count(const struct webset *w);
/* Calls on_match once for each rule that matches, in no order, until it returns false. No
 * allocation, time linear in the subject. A subject that has cost more comparing than any honest
 * one is held against no further patterns with `*`: those whose longest run it has are reported as
 * matching and closed. */
void webset_find(struct webset *w, const struct rule_subject *s,
	bool (*on_match)(void *arg, const struct webset_rule *rule), void *arg);
