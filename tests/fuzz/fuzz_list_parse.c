/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a list, as they are or in a content coding: every name given must be one that a
 * domain set takes. */
#include "syncd/list_decode.h"
#include "syncd/list_parse.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int on_entry(void *arg, const struct list_entry *e)
{
	if (e->name && domainset_builder_add(arg, e->name, e->name_len, 0, e->kind, e->exception))
		abort();
	if (!e->name && !e->url)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct domainset_builder *b = domainset_builder_new();
	struct list_options options = { 0 };
	struct list_report report;
	static const char *const codings[] = { NULL, "gzip", "deflate", "br" };
	uint64_t sum = 0;
	struct buf text;
	char *copy = NULL;

	if (!len || !b) {
		domainset_builder_free(b);
		return 0;
	}
	options.subtree = data[0] & 1;
	options.https_paths_skip = data[0] & 2;
	buf_init(&text, 1u << 18);
	if (!list_decode(codings[data[0] >> 2 & 3], data + 1, len - 1, &text))
		copy = malloc(text.len ? text.len : 1);
	/* A copy of its own, so that a read behind its end is seen. */
	if (copy) {
		memcpy(copy, text.data, text.len);
		list_parse(copy, text.len, &options, on_entry, b, &report);
		for (unsigned i = 0; i < LIST_SKIPS; i++)
			sum += report.skipped_by[i];
		if (sum != report.skipped)
			abort();
	}
	free(copy);
	buf_fini(&text);
	domainset_builder_free(b);
	return 0;
}
