/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths of search engines: a key that is set stands there once, and changes nothing else that is
 * searched for. */
#include "proxyd/search_url.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct buf texts_of(const char *path)
{
	struct buf b;

	buf_init(&b, 0);
	assert(search_texts(path, &b) >= 0);
	buf_append(&b, "", 0);
	return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *path = malloc(len + 1);
	struct buf set, again, before, after;

	memcpy(path, data, len);
	path[len] = '\0';
	buf_init(&set, 0);
	buf_init(&again, 0);
	assert(!search_set(path, "safe", "active", &set));
	assert(!search_set((char *)set.data, "safe", "active", &again));
	assert(!strcmp((char *)set.data, (char *)again.data));
	before = texts_of(path);
	after = texts_of((char *)set.data);
	assert(!strcmp((char *)before.data, (char *)after.data));
	search_is_host(path);
	buf_fini(&set);
	buf_fini(&again);
	buf_fini(&before);
	buf_fini(&after);
	free(path);
	return 0;
}
