/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What syncd reads of its own files, damaged or not: what is taken is what would be written. */
#include "syncd/directus_rows.h"
#include "syncd/list_past.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void try_past(const cJSON *json)
{
	struct list_past once, twice;
	cJSON *text;

	list_past_decode(json, &once);
	text = list_past_encode(&once);
	list_past_decode(text, &twice);
	if (once.n != twice.n)
		abort();
	for (size_t i = 0; i < once.n; i++) {
		if (!list_digest_is_good(once.v[i].digest) ||
			strcmp(once.v[i].digest, twice.v[i].digest) != 0)
			abort();
	}
	cJSON_Delete(text);
}

static void try_rows(const cJSON *json)
{
	struct directus_rows once, twice;
	cJSON *text;

	if (directus_rows_parse(json, &once))
		return;
	text = directus_rows_format(&once);
	if (!text || directus_rows_parse(text, &twice) || once.n != twice.n ||
		once.count != twice.count || directus_rows_removed(&once, &twice))
		abort();
	directus_rows_fini(&once);
	directus_rows_fini(&twice);
	cJSON_Delete(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	cJSON *json = json_parse((const char *)data, len);

	try_past(json);
	try_rows(json);
	cJSON_Delete(json);
	return 0;
}
