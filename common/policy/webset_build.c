/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/webset_build.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RULES_MAX 1000000u

struct webset_builder *webset_builder_new(void)
{
	struct webset_builder *b = calloc(1, sizeof(*b));
	if (!b || getrandom(b->key, sizeof(b->key), 0) != sizeof(b->key)) {
		free(b);
		return NULL;
	}
	buf_init(&b->arena, WEBSET_IMAGE_MAX);
	buf_init(&b->strings, WEBSET_IMAGE_MAX);
	hmap_init(&b->interned, NULL);
	return b;
}

void webset_builder_free(struct webset_builder *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->count; i++)
		pattern_fini(&b->patterns[i]);
	free(b->patterns);
	free(b->rules);
	buf_fini(&b->arena);
	buf_fini(&b->strings);
	hmap_fini(&b->interned);
	free(b);
}

void webset_builder_set_key(struct webset_builder *b, const uint8_t key[static 16])
{
	memcpy(b->key, key, sizeof(b->key));
}

size_t webset_builder_count(const struct webset_builder *b)
{
	return b->count;
}

/* ---- adding ---- */

/* The longest run without `*`. */
void webset_find_literal(const struct pattern *p, const char **out, size_t *out_len)
{
	*out = p->text;
	*out_len = p->match == MATCH_WILDCARD ? 0 : p->len;
	for (size_t i = 0; p->match == MATCH_WILDCARD && i < p->len;) {
		size_t end = i;
		while (end < p->len && p->text[end] != '*')
			end++;
		if (end - i > *out_len) {
			*out = p->text + i;
			*out_len = end - i;
		}
		i = end + 1;
	}
}

static enum webset_class class_of(const struct pattern *p)
{
	const char *literal;
	size_t len;
	switch ((enum match)p->match) {
	case MATCH_EXACT:
		return WEBSET_HASHED;
	case MATCH_ENDSWITH:
		if (p->is_url)
			return WEBSET_SUFFIX_URL;
		return p->text[0] == '.' ? WEBSET_SUFFIX_HOST : WEBSET_HASHED;
	case MATCH_STARTSWITH:
		return p->is_url ? WEBSET_PREFIX_URL : WEBSET_PREFIX_HOST;
	case MATCH_CONTAINS:
	case MATCH_WILDCARD:
		break;
	}
	webset_find_literal(p, &literal, &len);
	if (!len)
		return WEBSET_ALWAYS;
	return p->is_url ? WEBSET_SEARCH_URL : WEBSET_SEARCH_HOST;
}

int webset_append_string(struct buf *to, const char *text, size_t len, uint32_t *out)
{
	*out = (uint32_t)to->len;
	if (buf_append(to, text, len) || buf_append_byte(to, 0))
		return to->failed == -ENOSPC ? -E2BIG : -ENOMEM;
	return 0;
}

static int keep_strings(struct buf *arena, const struct rec_website *site, struct webset_entry *e)
{
	uint32_t ignored;
	int err = webset_append_string(arena, site->id, strlen(site->id), &e->id);
	if (!err)
		err = webset_append_string(
			arena, site->category, strlen(site->category), &e->category);
	e->needs = (uint32_t)arena->len;
	e->needs_count = (uint16_t)(site->needs.n < UINT16_MAX ? site->needs.n : UINT16_MAX);
	for (size_t i = 0; i < e->needs_count && !err; i++)
		err = webset_append_string(
			arena, site->needs.v[i], strlen(site->needs.v[i]), &ignored);
	return err;
}

static uint8_t media_flag(bool present, int media, int shift)
{
	enum webset_media m = !present		    ? WEBSET_MEDIA_INHERIT
			      : media == MEDIA_HIDE ? WEBSET_MEDIA_HIDE
						    : WEBSET_MEDIA_SHOW;
	return (uint8_t)(m << shift);
}

static uint8_t flags_of(const struct rec_website *site, const struct pattern *p)
{
	return (uint8_t)((p->is_url ? WEBSET_IS_URL : 0) | (site->head.closed ? WEBSET_CLOSED : 0) |
			 media_flag(rec_has(site, website, images), site->images,
				 WEBSET_IMAGES_SHIFT) |
			 media_flag(
				 rec_has(site, website, words), site->words, WEBSET_WORDS_SHIFT));
}

static int make_room(struct webset_builder *b)
{
	if (b->count < b->cap)
		return 0;
	if (b->count >= RULES_MAX)
		return -E2BIG;
	size_t cap = b->cap ? b->cap * 2 : 256;
	struct webset_source *rules = realloc(b->rules, cap * sizeof(*rules));
	if (rules)
		b->rules = rules;
	struct pattern *patterns = rules ? realloc(b->patterns, cap * sizeof(*patterns)) : NULL;
	if (!patterns)
		return -ENOMEM;
	b->patterns = patterns;
	b->cap = cap;
	return 0;
}

int webset_builder_add(struct webset_builder *b, const struct rec_website *site)
{
	struct pattern p;
	if (!site->head.closed && rec_has(site, website, status) &&
		site->status != REVIEW_STATUS_APPROVED)
		return 0;
	/* A match that nobody knows is the widest. */
	bool unknown = site->head.closed && !rec_has(site, website, match);
	int err = make_room(b);
	if (!err)
		err = unknown ? pattern_parse_widest(site->pattern, &p)
			      : pattern_parse(site->pattern, site->match, &p);
	if (err)
		return err;
	struct webset_entry e = { .match = (uint8_t)p.match, .flags = flags_of(site, &p) };
	err = keep_strings(&b->arena, site, &e);
	if (err) {
		pattern_fini(&p);
		return err;
	}
	b->patterns[b->count] = p;
	b->rules[b->count++] = (struct webset_source){
		.text = p.text, .len = p.len, .class = class_of(&p), .entry = e
	};
	return 0;
}

int webset_builder_add_url(struct webset_builder *b, const char *list, const char *url, size_t len)
{
	char text[4096];
	struct pattern p;
	if (len >= sizeof(text))
		return -EINVAL;
	snprintf(text, sizeof(text), "%.*s", (int)len, url);
	int err = make_room(b);
	if (!err)
		err = pattern_parse(text, MATCH_STARTSWITH, &p);
	if (err)
		return err;
	size_t www = pattern_www_len(p.text, p.len);
	struct webset_entry e = { .match = MATCH_STARTSWITH,
		.flags = WEBSET_IS_URL | WEBSET_IS_LIST };
	const struct rec_website site = { .id = "", .category = (char *)list };
	err = p.is_url ? keep_strings(&b->arena, &site, &e) : -EINVAL;
	if (err) {
		pattern_fini(&p);
		return err;
	}
	b->patterns[b->count] = p;
	b->rules[b->count++] = (struct webset_source){
		.text = p.text + www, .len = p.len - www, .class = WEBSET_PREFIX_LIST, .entry = e
	};
	return 0;
}
