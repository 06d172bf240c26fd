/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_message.h"
#include "common/json.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is(const cJSON *json, const char *name, const char *text)
{
	const char *value = cJSON_GetStringValue(json_get(json, name));

	return value && !strcmp(value, text);
}

static enum directus_message_kind kind_of(const cJSON *json)
{
	if (is(json, "type", "ping"))
		return MESSAGE_PING;
	if (is(json, "type", "auth"))
		return is(json, "status", "ok") ? MESSAGE_WELCOME : MESSAGE_REFUSED;
	if (is(json, "type", "subscribe") && is(json, "status", "error"))
		return MESSAGE_NOT_SUBSCRIBED;
	if (is(json, "type", "subscription") &&
		(is(json, "event", "create") || is(json, "event", "update") ||
			is(json, "event", "delete")))
		return MESSAGE_CHANGED;
	return MESSAGE_OTHER;
}

static void copy(char *to, size_t len, const cJSON *value)
{
	const char *text = cJSON_GetStringValue(value);

	if (text && strlen(text) < len)
		snprintf(to, len, "%s", text);
}

void directus_message_parse(const char *text, size_t len, struct directus_message *out)
{
	cJSON *json = json_parse(text, len);
	const cJSON *error = json_get(json, "error");

	*out = (struct directus_message){ .kind = kind_of(json) };
	copy(out->collection, sizeof(out->collection), json_get(json, "uid"));
	if (out->kind == MESSAGE_REFUSED || out->kind == MESSAGE_NOT_SUBSCRIBED)
		copy(out->text, sizeof(out->text), json_get(error, "code"));
	cJSON_Delete(json);
}
