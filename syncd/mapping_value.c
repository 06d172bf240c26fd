/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/json.h"
#include "syncd/mapping_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *mapping_take_text(const cJSON *value, bool lower)
{
	char number[24];
	int64_t n;
	const char *text = cJSON_GetStringValue(value);
	size_t len;
	char *copy;

	if (json_get_int(value, &n)) {
		snprintf(number, sizeof(number), "%" PRId64, n);
		text = number;
	}
	if (!text)
		return NULL;
	text += strspn(text, " \t\r\n");
	for (len = strlen(text); len && strchr(" \t\r\n", text[len - 1]); len--)
		;
	copy = len ? strndup(text, len) : NULL;
	for (size_t i = 0; copy && lower && i < len; i++) {
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] + 32);
	}
	return copy;
}

int mapping_take_bool(const cJSON *value)
{
	int64_t n;

	if (cJSON_IsBool(value))
		return cJSON_IsTrue(value);
	if (json_get_int(value, &n) && (n == 0 || n == 1))
		return (int)n;
	if (cJSON_IsString(value) && !strcasecmp(value->valuestring, "true"))
		return 1;
	if (cJSON_IsString(value) && !strcasecmp(value->valuestring, "false"))
		return 0;
	return -1;
}

/* K's words of image_policy and word_policy; "" = inherits, NULL = another one. */
static const char *media_text(const cJSON *value)
{
	static const char *const words[][2] = { { "show", "show" }, { "off", "show" },
		{ "allow", "show" }, { "hide", "hide" }, { "on", "hide" }, { "block", "hide" },
		{ "filter", "hide" }, { "inherit", "" }, { "default", "" } };
	const char *text = cJSON_GetStringValue(value);
	int flag = mapping_take_bool(value);

	if (flag >= 0)
		return flag ? "hide" : "show";
	if (!text)
		return NULL;
	if (!*text)
		return "";
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcasecmp(text, words[i][0]))
			return words[i][1];
	}
	return NULL;
}

static cJSON *convert_text(const cJSON *value, bool lower)
{
	char *text = mapping_take_text(value, lower);
	cJSON *out = text ? cJSON_CreateString(text) : NULL;

	free(text);
	return out;
}

cJSON *mapping_convert(enum mapping_form form, const cJSON *value)
{
	int flag = mapping_take_bool(value);
	const char *text;
	int64_t n;

	switch (form) {
	case FORM_TEXT:
	case FORM_WORD:
		if (cJSON_IsString(value) || json_get_int(value, &n))
			return convert_text(value, form == FORM_WORD);
		break;
	case FORM_BOOL:
		if (flag >= 0)
			return cJSON_CreateBool(flag);
		break;
	case FORM_BLOCKED:
		if (flag >= 0)
			return cJSON_CreateString(flag ? "block" : "allow");
		break;
	case FORM_NUMBER:
		break;
	case FORM_MEDIA:
		text = media_text(value);
		if (text)
			return *text ? cJSON_CreateString(text) : NULL;
		break;
	}
	return cJSON_Duplicate(value, true);
}
