/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a list: every name given must be one that a domain set takes. */
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
	uint64_t sum = 0;
	char *copy;

	if (!len || !b) {
		domainset_builder_free(b);
		return 0;
	}
	options.subtree = data[0] & 1;
	options.https_paths_skip = data[0] & 2;
	/* A copy of its own, so that a read behind its end is seen. */
	copy = malloc(len - 1 ? len - 1 : 1);
	if (copy) {
		memcpy(copy, data + 1, len - 1);
		list_parse(copy, len - 1, &options, on_entry, b, &report);
		for (unsigned i = 0; i < LIST_SKIPS; i++)
			sum += report.skipped_by[i];
		if (sum != report.skipped)
			abort();
	}
	free(copy);
	domainset_builder_free(b);
	return 0;
}
