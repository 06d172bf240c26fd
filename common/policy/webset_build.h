/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "common/policy/webset_image.h"

/* Private to common/policy/webset_*.c: the builder between adding and laying out. */
#define WEBSET_IMAGE_MAX ((size_t)1 << 30)

/* A rule as added; the strings of its entry are offsets into the arena. */
struct webset_source {
	const char *text;
	size_t len;
	enum webset_class class;
	struct webset_entry entry;
};

struct webset_builder {
	uint8_t key[16];
	struct webset_source *rules;
	struct pattern *patterns; /* own the texts */
	size_t count, cap;
	struct buf arena;     /* strings in the order of adding */
	struct buf strings;   /* of the image, in the order of the rules */
	struct hmap interned; /* text → 1 + offset in strings */
};

/* Appends text and a zero; out gets its offset. -ENOMEM, -E2BIG. */
int webset_append_string(struct buf *to, const char *text, size_t len, uint32_t *out);
/* The longest run of a contains or wildcard pattern without `*`; len 0 = there is none. */
void webset_find_literal(const struct pattern *p, const char **out, size_t *out_len);
