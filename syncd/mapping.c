/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/mapping.h"
#include "common/json.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum form {
	FORM_TEXT, /* trimmed; numbers become text */
	FORM_WORD, /* an enum's text: trimmed, lower case */
	FORM_BOOL,
	FORM_BLOCKED, /* true = block, false = allow */
	FORM_NUMBER,
	FORM_MEDIA,
};

#define NEEDED true

struct field {
	const char *name;   /* in the record */
	const char *column; /* K's */
	enum form form;
	bool needed; /* without it the row is left out */
};

struct part {
	const char *name, *collection;
	int topic; /* enum bus_topic; -1 = none of its own */
	struct field fields[MAPPING_FIELDS];
};

/* clang-format off */
static const struct part table[PARTS] = {
	[PART_MAPS] = { "maps", "maps", -1, { { "entry", "url", FORM_TEXT, false } } },
	[PART_GIFS] = { "gifs", "gifs", -1, { { "entry", "url", FORM_TEXT, false } } },
	[PART_GENERAL] = { "general", "squid-general_block", -1, { { "entry", "url", FORM_TEXT, false } } },
	[PART_APP_URLS] = { "app_urls", "app_urls", -1, { { "entry", "urls", FORM_TEXT, false } } },
	[PART_APPS] = { "apps", "apps", -1, {
		{ "entry", "url", FORM_TEXT, false }, { "entries", "urls", FORM_TEXT, false } } },
	[PART_LIST_PREFS] = { "list_prefs", "vpn_squid_prefs", -1, {
		{ "device", "device_id", FORM_TEXT, NEEDED }, { "list", "list", FORM_TEXT, NEEDED },
		{ "enabled", "enabled", FORM_BOOL, false } } },
	[PART_SWITCHES] = { "switches", "vpn_master_controls", -1, {
		{ "device", "device_id", FORM_TEXT, NEEDED },
		{ "offline_browser", "chrome_offline", FORM_BOOL, false },
		{ "offline_vpn", "vpn_offline_non_chrome", FORM_BOOL, false } } },
	[PART_CATEGORIES] = { "categories", "website_categories", TOPIC_categories, {
		{ "name", "name", FORM_TEXT, false }, { "visibility", "visibility", FORM_WORD, false },
		{ "default", "default_blocked", FORM_BLOCKED, false },
		{ "sort_order", "sort_order", FORM_NUMBER, false },
		{ "no_decrypt", "no_decrypt", FORM_BOOL, false },
		{ "images", "image_policy", FORM_MEDIA, false } } },
	[PART_WEBSITES] = { "websites", "websites", TOPIC_websites, {
		{ "pattern", "url", FORM_TEXT, NEEDED }, { "match", "match_type", FORM_WORD, false },
		{ "category", "category_id", FORM_TEXT, NEEDED }, { "status", "status", FORM_WORD, false },
		{ "images", "image_policy", FORM_MEDIA, false },
		{ "words", "word_policy", FORM_MEDIA, false } } },
	[PART_WORDS] = { "words", "bad_words", TOPIC_words, {
		{ "term", "word", FORM_TEXT, NEEDED }, { "match", "match_type", FORM_WORD, false } } },
	[PART_SEARCH_WORDS] = { "search_words", "", TOPIC_search_words, {
		{ "term", "word", FORM_TEXT, NEEDED } } },
	[PART_CATEGORY_PREFS] = { "category_prefs", "vpn_category_prefs", TOPIC_category_prefs, {
		{ "device", "device_id", FORM_TEXT, NEEDED },
		{ "category", "category_id", FORM_TEXT, NEEDED },
		{ "blocked", "blocked", FORM_BOOL, false } } },
	[PART_SITE_OVERRIDES] = { "site_overrides", "vpn_site_overrides", TOPIC_site_overrides, {
		{ "device", "device_id", FORM_TEXT, NEEDED }, { "pattern", "url", FORM_TEXT, NEEDED },
		{ "match", "match_type", FORM_WORD, false }, { "action", "action", FORM_WORD, false },
		{ "images", "image_policy", FORM_MEDIA, false },
		{ "words", "word_policy", FORM_MEDIA, false } } },
	[PART_SNI_BLOCK] = { "sni_block", "mitm_block_domains", TOPIC_sni_block, {
		{ "domain", "domain", FORM_TEXT, NEEDED } } },
	[PART_MITM_IGNORE] = { "mitm_ignore", "mitm_ignore_domains", TOPIC_mitm_ignore, {
		{ "domain", "domain", FORM_TEXT, NEEDED } } },
	[PART_IMAGE_IGNORE] = { "image_ignore", "", TOPIC_image_ignore, {
		{ "domain", "domain", FORM_TEXT, NEEDED } } },
	[PART_VPN_APPEALS] = { "vpn_appeals", "vpn_appeals", -1, {
		{ "uuid", "uuid", FORM_TEXT, NEEDED }, { "url", "url", FORM_TEXT, NEEDED },
		{ "host", "host", FORM_TEXT, NEEDED }, { "reason", "reason", FORM_TEXT, false },
		{ "device", "device_id", FORM_TEXT, false }, { "status", "status", FORM_TEXT, false } } },
	[PART_WEBSITE_APPEALS] = { "website_appeals", "website_appeals", -1, {
		{ "uuid", "uuid", FORM_TEXT, NEEDED }, { "url", "url", FORM_TEXT, NEEDED },
		{ "host", "host", FORM_TEXT, NEEDED }, { "reason", "reason", FORM_TEXT, false },
		{ "device", "device_id", FORM_TEXT, false }, { "status", "status", FORM_TEXT, false },
		{ "mode", "mode", FORM_TEXT, false }, { "category", "category_id", FORM_TEXT, false } } },
};
/* clang-format on */

/* ---- names ---- */

void mapping_init(struct mapping *m)
{
	for (int p = 0; p < PARTS; p++) {
		m->collections[p] = table[p].collection;
		for (int f = 0; f < MAPPING_FIELDS; f++)
			m->columns[p][f] = table[p].fields[f].column;
	}
}

static const char **find_name(struct mapping *m, const char *part, const char *field)
{
	for (int p = 0; p < PARTS; p++) {
		if (strcmp(part, table[p].name) != 0)
			continue;
		if (!field)
			return &m->collections[p];
		for (int f = 0; f < MAPPING_FIELDS && table[p].fields[f].name; f++) {
			if (!strcmp(field, table[p].fields[f].name))
				return &m->columns[p][f];
		}
	}
	return NULL;
}

int mapping_set(struct mapping *m, char *room, char *why, size_t why_len)
{
	char *to = strchr(room, '='), *field;
	const char **name;

	if (!to) {
		snprintf(why, why_len, "%s is not part=collection or part.field=column", room);
		return -EINVAL;
	}
	*to++ = 0;
	field = strchr(room, '.');
	if (field)
		*field++ = 0;
	name = find_name(m, room, field);
	if (!name) {
		snprintf(why, why_len, "%s%s%s: no such name", room, field ? "." : "",
			field ? field : "");
		return -EINVAL;
	}
	if (strspn(to, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") !=
			strlen(to) ||
		strlen(to) > 127 || (field && !*to)) {
		snprintf(why, why_len, "%s is no name of Directus'", to);
		return -EINVAL;
	}
	*name = to;
	return 0;
}

const char *mapping_part_name(enum mapping_part part)
{
	return table[part].name;
}

bool mapping_topic(enum mapping_part part, enum bus_topic *out)
{
	if (table[part].topic < 0)
		return false;
	*out = (enum bus_topic)table[part].topic;
	return true;
}

/* ---- values ---- */

/* A copy without blanks at its ends; NULL when it is none, or empty. */
static char *take_text(const cJSON *value, bool lower)
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

/* 1, 0, -1 = neither. Databases without booleans have numbers. */
static int take_bool(const cJSON *value)
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
	int flag = take_bool(value);

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
	char *text = take_text(value, lower);
	cJSON *out = text ? cJSON_CreateString(text) : NULL;

	free(text);
	return out;
}

/* NULL: the field is left out. What is not understood stays as it is. */
static cJSON *convert(enum form form, const cJSON *value)
{
	int flag = take_bool(value);
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

static const cJSON *column(
	const struct mapping *m, enum mapping_part part, int field, const cJSON *row)
{
	const cJSON *value = json_get(row, m->columns[part][field]);

	return cJSON_IsNull(value) ? NULL : value;
}

/* ---- records ---- */

static int add_fields(const struct mapping *m, enum mapping_part part, const cJSON *row,
	cJSON *record, char *why, size_t why_len)
{
	for (int f = 0; f < MAPPING_FIELDS && table[part].fields[f].name; f++) {
		const struct field *field = &table[part].fields[f];
		const cJSON *value = column(m, part, f, row);
		cJSON *one = value ? convert(field->form, value) : NULL;

		if (!one && field->needed) {
			snprintf(why, why_len, "without %s", m->columns[part][f]);
			return -EINVAL;
		}
		if (one)
			cJSON_AddItemToObject(record, field->name, one);
	}
	return 0;
}

/* Would a consumer take it? */
static int check_record(enum mapping_part part, const cJSON *record, char *why, size_t why_len)
{
	union {
		struct rec_category category;
		struct rec_website website;
		struct rec_word word;
		struct rec_search_word search_word;
		struct rec_category_pref category_pref;
		struct rec_site_override site_override;
		struct rec_domain_entry domain_entry;
	} any;
	enum rec_type type = bus_topic_record((enum bus_topic)table[part].topic);
	char text[128];
	int err = codec_decode(type, CODEC_LENIENT, record, &any, text, sizeof(text));

	if (err)
		snprintf(why, why_len, "%s", text);
	else
		rec_fini(type, &any);
	return err;
}

int mapping_make(const struct mapping *m, enum mapping_part part, const cJSON *row,
	char id[static 132], cJSON **out, char *why, size_t why_len)
{
	char *key = take_text(json_get(row, "id"), false);
	cJSON *record = cJSON_CreateObject();
	int err = -EINVAL;

	if (!key || strlen(key) > 64)
		snprintf(why, why_len, "without id");
	else if (record && cJSON_AddStringToObject(record, "id", key))
		err = add_fields(m, part, row, record, why, why_len);
	if (!err)
		err = check_record(part, record, why, why_len);
	if (!err)
		snprintf(id, 132, "%s", key);
	free(key);
	if (err)
		cJSON_Delete(record);
	else
		*out = record;
	return err;
}

static cJSON *pref_of(struct hmap *records, const char *device)
{
	char id[132];
	cJSON *record;

	snprintf(id, sizeof(id), "device:%s", device);
	record = hmap_find_str(records, id);
	if (record)
		return record;
	record = cJSON_CreateObject();
	if (!record || !cJSON_AddStringToObject(record, "id", id) ||
		hmap_set_str(records, id, record)) {
		cJSON_Delete(record);
		return NULL;
	}
	return record;
}

static void add_list_off(cJSON *record, const char *list)
{
	cJSON *lists = cJSON_GetObjectItemCaseSensitive(record, "lists_off");
	const cJSON *it;

	if (!lists)
		lists = cJSON_AddArrayToObject(record, "lists_off");
	cJSON_ArrayForEach (it, lists) {
		if (!strcmp(it->valuestring, list))
			return;
	}
	cJSON_AddItemToArray(lists, cJSON_CreateString(list));
}

/* What is neither true nor false switches off line. */
static void add_switch(cJSON *record, const char *name, const cJSON *value)
{
	if (value && take_bool(value) != 0 && !json_get(record, name))
		cJSON_AddTrueToObject(record, name);
}

int mapping_add_pref(const struct mapping *m, enum mapping_part part, const cJSON *row,
	struct hmap *records, char *why, size_t why_len)
{
	char *device = take_text(column(m, part, 0, row), false);
	char *list = part == PART_LIST_PREFS ? take_text(column(m, part, 1, row), false) : NULL;
	bool good = device && strlen(device) <= 64 && (part != PART_LIST_PREFS || list);
	cJSON *record = good ? pref_of(records, device) : NULL;

	if (!good)
		snprintf(why, why_len, "without %s", m->columns[part][device ? 1 : 0]);
	if (record && list && take_bool(column(m, part, 2, row)) == 0)
		add_list_off(record, list);
	if (record && part == PART_SWITCHES) {
		for (int f = 1; f <= 2; f++)
			add_switch(record, table[part].fields[f].name, column(m, part, f, row));
	}
	free(device);
	free(list);
	return !good ? -EINVAL : record ? 0 : -ENOMEM;
}

/* ---- lists ---- */

static int add_entry(struct buf *text, const cJSON *value)
{
	const char *entry = cJSON_GetStringValue(value);
	int err;

	if (!entry || !*entry)
		return 0;
	err = buf_append(text, entry, strlen(entry));
	return err ? err : buf_append_byte(text, '\n');
}

static int add_array(struct buf *text, const cJSON *array)
{
	const cJSON *it;
	int err = 0;

	cJSON_ArrayForEach (it, array) {
		if (!err)
			err = add_entry(text, it);
	}
	return err;
}

/* Databases without JSON give an array as its text, where the field is not said to be JSON. */
static int add_value(struct buf *text, const cJSON *value)
{
	const char *string = cJSON_GetStringValue(value);
	cJSON *array = string && *string == '[' ? json_parse(string, strlen(string)) : NULL;
	int err;

	if (cJSON_IsArray(value) || cJSON_IsArray(array))
		err = add_array(text, array ? array : value);
	else
		err = add_entry(text, value);
	cJSON_Delete(array);
	return err;
}

int mapping_add_entries(
	const struct mapping *m, enum mapping_part part, const cJSON *row, struct buf *text)
{
	int err = 0;

	for (int f = 0; f < MAPPING_FIELDS && table[part].fields[f].name && !err; f++)
		err = add_value(text, column(m, part, f, row));
	return err;
}

/* ---- appeals ---- */

/* Ids of Directus are numbers as a rule, ours are text. */
static cJSON *format_id(const char *id)
{
	char *end;
	long long n = strtoll(id, &end, 10);

	return *id >= '1' && *id <= '9' && !*end && strlen(id) < 16 ? cJSON_CreateNumber((double)n)
								    : cJSON_CreateString(id);
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

	for (int f = 0; f < MAPPING_FIELDS && table[part].fields[f].name; f++) {
		if (!values[f])
			continue;
		cJSON_AddItemToObject(json, m->columns[part][f],
			values[f] == appeal->category_id ? format_id(values[f])
							 : cJSON_CreateString(values[f]));
	}
	text = json_format(json);
	cJSON_Delete(json);
	*collection = m->collections[part];
	return text;
}
