/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Web set: a hostile image (with the checksum put right, so that the checks behind it are reached)
 * must be refused or be safe to look names up in; one built from the text must open. */
#include "common/policy/webset_image.h"
#include "common/siphash.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool on_match(void *arg, const struct webset_rule *rule)
{
	size_t n = strlen(rule->pattern) + strlen(rule->id) + strlen(rule->category);
	const char *need = rule->needs;
	for (size_t i = 0; i < rule->needs_count; i++)
		need += strlen(need) + 1;
	*(size_t *)arg += n;
	return true;
}

static void look_up(struct webset *w, const char *text, size_t len)
{
	size_t sum = 0;
	for (size_t from = 0; from < len && from < 32; from++) {
		size_t n = len - from > 300 ? 300 : len - from, host = 0;
		while (host < n && text[from + host] != '/')
			host++;
		struct rule_subject s = {
			.host = text + from, .host_len = host, .url = text + from, .url_len = n
		};
		webset_find(w, &s, on_match, &sum);
	}
}

static void open_image(const uint8_t *data, size_t len)
{
	uint8_t *copy = len < sizeof(struct webset_header) ? NULL : malloc(len);
	struct webset w;
	if (!copy)
		return;
	memcpy(copy, data, len);
	struct webset_header *h = (struct webset_header *)copy;
	h->checksum = siphash13(h->key, copy + WEBSET_CHECKED_FROM, len - WEBSET_CHECKED_FROM);
	if (!webset_open(copy, len, &w)) {
		look_up(&w, (const char *)data + len / 2, len - len / 2);
		webset_close(&w);
	}
	free(copy);
}

/* A rule a line, its match by the line's first character. */
static void build(const char *text, size_t len)
{
	struct webset_builder *b = webset_builder_new();
	char line[256];
	struct buf image;
	struct webset w;
	buf_init(&image, 0);
	for (size_t i = 0, end; b && i + 1 < len; i = end + 1) {
		for (end = i + 1; end < len && text[end] != '\n' && end - i < sizeof(line);)
			end++;
		snprintf(line, sizeof(line), "%.*s", (int)(end - i - 1), text + i + 1);
		struct rec_website rec = { .id = "1",
			.pattern = line,
			.match = text[i] % 5 < 0 ? 0 : text[i] % 5,
			.category = "c" };
		rec_mark(&rec, website, match);
		webset_builder_add(b, &rec);
	}
	if (b && !webset_builder_finish(b, &image)) {
		if (webset_open(image.data, image.len, &w))
			abort();
		look_up(&w, text, len);
		webset_close(&w);
	}
	webset_builder_free(b);
	buf_fini(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	open_image(data, len);
	build((const char *)data, len);
	return 0;
}
