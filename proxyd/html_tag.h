/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/*
 * One HTML tag (HTML 13.2.5.6 ff.), which comes in pieces: where it ends, its name, the text of
 * those whose attributes matter, and where the value of an attribute begins that people get to see
 * (alt, aria-label, label, placeholder, srcdoc, title).
 */
enum html_tag_state {
	TAG_NAME,
	TAG_BEFORE_ATTRIBUTE,
	TAG_ATTRIBUTE,
	TAG_AFTER_ATTRIBUTE,
	TAG_BEFORE_VALUE,
	TAG_QUOTED,
	TAG_BARE,
	TAG_DONE,
};

#define HTML_NAME_LEN	   16
#define HTML_ATTRIBUTE_LEN 12
#define HTML_TAG_MAX	   (8u << 10) /* of a tag that is kept */

struct html_tag {
	enum html_tag_state state;
	bool is_end, is_self_closing;
	uint8_t quote;
	char name[HTML_NAME_LEN]; /* lower case, cut */
	size_t name_len;
	char attribute[HTML_ATTRIBUTE_LEN]; /* the name of the one at hand, cut */
	size_t attribute_len;
	bool is_seen; /* it is seen: its value begins or goes on, up to quote or, bare, its end */
	bool is_page; /* what is seen is a page (srcdoc) */
	bool is_kept; /* text is filled; nothing of it is seen */
	struct buf text; /* from the name on; failed: too long */
};

void html_tag_init(struct html_tag *t);
void html_tag_fini(struct html_tag *t);
/* Behind the < or </. */
void html_tag_start(struct html_tag *t, bool is_end);
/* Takes bytes up to the tag's end, which is there when state is TAG_DONE, or to a value that is
 * seen: whoever takes that itself resets is_seen at its end. */
size_t html_tag_take(struct html_tag *t, const uint8_t *data, size_t len);
/* How many bytes belong to the value at hand; -1: its end is not there. */
ssize_t html_tag_value(const struct html_tag *t, const uint8_t *data, size_t len);
static inline bool html_tag_is(const struct html_tag *t, const char *name)
{
	size_t len = strlen(name);

	return t->name_len == len && !memcmp(t->name, name, len);
}
/* Of a kept tag: the value of the attribute, malloc'ed, with its references undone; NULL: it has
 * none, or no memory. */
char *html_tag_get(const struct html_tag *t, const char *attribute);
