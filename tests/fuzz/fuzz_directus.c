/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An answer of Directus, or a message of its WebSocket, and its rows as every part's records: what
 * is made is what consumers take.
 */
#include "syncd/directus_answer.h"
#include "syncd/directus_message.h"
#include "syncd/mapping.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void free_record(void *value)
{
	cJSON_Delete(value);
}

static void map_row(const struct mapping *m, const cJSON *row, struct hmap *prefs, struct buf *text)
{
	char why[160];

	for (int p = 0; p < PARTS; p++) {
		char id[132];
		enum bus_topic topic;
		cJSON *record;

		if (!mapping_topic((enum mapping_part)p, &topic))
			continue;
		if (!mapping_make(m, (enum mapping_part)p, row, id, &record, why, sizeof(why))) {
			if (!*id || strlen(id) > 64)
				abort();
			cJSON_Delete(record);
		}
	}
	mapping_add_pref(m, PART_LIST_PREFS, row, prefs, why, sizeof(why));
	mapping_add_pref(m, PART_SWITCHES, row, prefs, why, sizeof(why));
	mapping_finish_prefs(prefs);
	mapping_add_entries(m, PART_APPS, row, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 200, 204, 400, 401, 403, 429, 500, 503 };
	struct directus_answer a;
	struct mapping m;
	struct hmap prefs;
	struct buf text;
	struct directus_message message;
	const cJSON *row;
	char *body;

	if (!size)
		return 0;
	body = malloc(size);
	if (!body)
		abort();
	memcpy(body, data + 1, size - 1);
	directus_message_parse((const char *)data + 1, size - 1, &message);
	directus_answer_parse(statuses[data[0] % 8], "3", body, size - 1, &a);
	mapping_init(&m);
	hmap_init(&prefs, free_record);
	buf_init(&text, 0);
	cJSON_ArrayForEach (row, directus_answer_data(&a))
		map_row(&m, row, &prefs, &text);
	buf_fini(&text);
	hmap_fini(&prefs);
	directus_answer_fini(&a);
	free(body);
	return 0;
}
