/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/conf.h"
#include <string.h>

struct conf {
	struct conf_shared shared;
	int64_t number;
	struct conf_prefixes prefixes;
	struct conf_strings strings;
	struct endpoint endpoint;
};

#define AT(field) offsetof(struct conf, field)
static const struct conf_row rows[] = {
	{ "dnsd", "number", CONF_INT, AT(number), "1", .min = -5, .max = 5 },
	{ "dnsd", "prefixes", CONF_PREFIXES, AT(prefixes), "" },
	{ "dnsd", "strings", CONF_STRINGS, AT(strings), "" },
	{ "dnsd", "endpoint", CONF_ENDPOINT, AT(endpoint), "" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conf c;
	struct buf err;

	/* Secrets open files: not from random paths. */
	if (memmem(data, len, "_file", 5))
		return 0;
	memset(&c, 0, sizeof(c));
	buf_init(&err, 0);
	if (!conf_parse((const char *)data, len, "f", "dnsd", rows, 4, &c, sizeof(c), &err))
		conf_fini(rows, 4, &c, sizeof(c));
	buf_fini(&err);
	return 0;
}
