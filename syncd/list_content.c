/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_content.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHRINK_MIN 1000
#define URLS_MAX   ((size_t)256 << 20)

struct list_content *list_content_ref(struct list_content *c)
{
	c->refs++;
	return c;
}

void list_content_unref(struct list_content *c)
{
	if (!c || --c->refs)
		return;
	domainset_builder_free(c->rules);
	buf_fini(&c->urls);
	free(c);
}

uint64_t list_content_size(const struct list_content *c)
{
	return c->report.names + c->report.urls;
}

static int on_entry(void *arg, const struct list_entry *e)
{
	struct list_content *c = arg;

	if (e->url && (buf_append(&c->urls, e->url, e->url_len) || buf_append_byte(&c->urls, 0)))
		return c->urls.failed == -ENOSPC ? -E2BIG : -ENOMEM;
	if (!e->name)
		return 0;
	return domainset_builder_add(c->rules, e->name, e->name_len, 0, e->kind, e->exception);
}

int list_content_make(const void *text, size_t len, const char digest[static 65],
	const struct list_options *options, const uint8_t key[static 16], struct list_content **out,
	char *why, size_t why_len)
{
	struct list_content *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (!c)
		goto fail;
	c->refs = 1;
	c->options = *options;
	buf_init(&c->urls, URLS_MAX);
	c->rules = domainset_builder_new();
	if (!c->rules)
		goto fail;
	domainset_builder_set_key(c->rules, key);
	memcpy(c->digest, digest, sizeof(c->digest));
	err = list_parse(text, len, options, on_entry, c, &c->report);
	if (!err && !list_content_size(c) && c->report.skipped)
		err = -EBADMSG;
	if (err)
		goto fail;
	*out = c;
	return 0;
fail:
	if (err == -EBADMSG && c)
		snprintf(why, why_len, "not a list: %lu lines, %lu entries, %lu skipped",
			c->report.lines, list_content_size(c), c->report.skipped);
	else
		snprintf(why, why_len, err == -E2BIG ? "too many entries" : "out of memory");
	list_content_unref(c);
	return err;
}

bool list_content_is_shrunk(const struct list_content *c, uint64_t size_before)
{
	uint64_t size = list_content_size(c);

	/* Who means to empty a list leaves a comment; a text without a line was cut off. */
	if (!c->report.lines && size_before)
		return true;
	return size < size_before / 2 && size_before - size > SHRINK_MIN;
}
