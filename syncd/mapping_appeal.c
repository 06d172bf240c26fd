/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/json.h"
#include "syncd/mapping_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cJSON *value_of(
	const struct mapping *m, enum mapping_part part, const char *field, const cJSON *row)
{
	const char *name = mapping_column_name(m, part, field);

	return name ? json_get(row, name) : NULL;
}

static bool copy(char *to, size_t len, const cJSON *value, bool lower)
{
	char *text = mapping_take_text(value, lower);
	bool fits = text && strlen(text) < len;

	snprintf(to, len, "%s", fits ? text : "");
	free(text);
	return fits;
}

bool mapping_read_decision(const struct mapping *m, enum mapping_part part, const cJSON *row,
	struct mapping_decision *out)
{
	char status[16];
	int id;

	copy(out->category, sizeof(out->category), value_of(m, part, "category", row), false);
	if (!copy(out->uuid, sizeof(out->uuid), value_of(m, part, "uuid", row), false) ||
		!copy(status, sizeof(status), value_of(m, part, "status", row), true))
		return false;
	if (enum_parse(ENUM_ID_review_status, status, &id))
		return false;
	out->status = (enum review_status)id;
	return id == REVIEW_STATUS_APPROVED || id == REVIEW_STATUS_REJECTED;
}

char *mapping_format_appeal(
	const struct mapping *m, const struct rec_appeal *appeal, const char **collection)
{
	enum mapping_part part =
		appeal->mode == APPEAL_MODE_APPEAL ? PART_VPN_APPEALS : PART_WEBSITE_APPEALS;
	const char *const values[] = { appeal->uuid, appeal->url, appeal->host, appeal->reason,
		appeal->device_id, "pending", enum_text(ENUM_ID_appeal_mode, appeal->mode),
		appeal->category_id };
	cJSON *json = cJSON_CreateObject();
	char *text;

	for (int f = 0; f < MAPPING_FIELDS && mapping_table[part].fields[f].name; f++) {
		if (!values[f])
			continue;
		cJSON_AddItemToObject(json, m->columns[part][f],
			values[f] == appeal->category_id ? mapping_format_id(values[f])
							 : cJSON_CreateString(values[f]));
	}
	text = json_format(json);
	cJSON_Delete(json);
	*collection = m->collections[part];
	return text;
}
