/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/mapping_impl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NEEDED true

/* clang-format off */
const struct mapping_row mapping_table[PARTS] = {
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
		m->collections[p] = mapping_table[p].collection;
		for (int f = 0; f < MAPPING_FIELDS; f++)
			m->columns[p][f] = mapping_table[p].fields[f].column;
	}
}

static const char **find_name(struct mapping *m, const char *part, const char *field)
{
	for (int p = 0; p < PARTS; p++) {
		if (strcmp(part, mapping_table[p].name) != 0)
			continue;
		if (!field)
			return &m->collections[p];
		for (int f = 0; f < MAPPING_FIELDS && mapping_table[p].fields[f].name; f++) {
			if (!strcmp(field, mapping_table[p].fields[f].name))
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
	return mapping_table[part].name;
}

bool mapping_topic(enum mapping_part part, enum bus_topic *out)
{
	if (mapping_table[part].topic < 0)
		return false;
	*out = (enum bus_topic)mapping_table[part].topic;
	return true;
}

const char *mapping_column_name(const struct mapping *m, enum mapping_part part, const char *field)
{
	for (int f = 0; f < MAPPING_FIELDS && mapping_table[part].fields[f].name; f++) {
		if (!strcmp(field, mapping_table[part].fields[f].name))
			return m->columns[part][f];
	}
	return NULL;
}
