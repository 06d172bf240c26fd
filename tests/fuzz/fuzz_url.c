/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one spelling of a URL's rest: never longer, and it is its own. */
#include "common/policy/url.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t judged(char *rest, size_t len)
{
	size_t decoded = url_decode_rest(rest, len);
	if (decoded > len)
		abort();
	size_t resolved = url_resolve_dots(rest, decoded);
	if (resolved > decoded)
		abort();
	return resolved;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *once = malloc(size + 1), *twice = malloc(size + 1);
	if (!once || !twice)
		abort();
	memcpy(once + 1, data, size);
	once[0] = '/';
	size_t len = judged(once, size + 1);
	memcpy(twice, once, len);
	if (judged(twice, len) != len || memcmp(once, twice, len))
		abort();
	free(once);
	free(twice);
	return 0;
}
