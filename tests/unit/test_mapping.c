/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of K's collections as records (SPEC S1). */
#include "syncd/mapping.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

static char why[160];

/* The record as text, NULL when the row is left out. */
static char *make(const struct mapping *m, enum mapping_part part, const char *row)
{
	cJSON *json = json_parse(row, strlen(row)), *record;
	char id[132], *text = NULL;

	if (!mapping_make(m, part, json, id, &record, why, sizeof(why))) {
		text = json_format(record);
		cJSON_Delete(record);
	}
	cJSON_Delete(json);
	return text;
}

static void is_made(enum mapping_part part, const char *row, const char *want)
{
	struct mapping m;
	char *text;

	mapping_init(&m);
	text = make(&m, part, row);
	STR_IS(text, want);
	free(text);
}

static void is_left_out(enum mapping_part part, const char *row, const char *reason)
{
	struct mapping m;
	char *text;

	mapping_init(&m);
	text = make(&m, part, row);
	OK(!text);
	STR_IS(why, reason);
	free(text);
}

static void test_rows_become_records(void)
{
	is_made(PART_WEBSITES,
		"{\"id\":2,\"url\":\"*.social.example/*\",\"match_type\":\"wildcard\","
		"\"category_id\":2,\"status\":\"approved\",\"date_updated\":null}",
		"{\"id\":\"2\",\"pattern\":\"*.social.example/*\",\"match\":\"wildcard\","
		"\"category\":\"2\",\"status\":\"approved\"}");
	is_made(PART_CATEGORIES,
		"{\"id\":\"c-1\",\"name\":\"News\",\"visibility\":\"Public\",\"default_blocked\":"
		"1}",
		"{\"id\":\"c-1\",\"name\":\"News\",\"visibility\":\"public\",\"default\":"
		"\"block\"}");
	is_made(PART_SITE_OVERRIDES,
		"{\"id\":1,\"device_id\":\"d\",\"url\":\"u.example\",\"action\":\"allow\","
		"\"image_policy\":\"inherit\",\"word_policy\":\"on\"}",
		"{\"id\":\"1\",\"device\":\"d\",\"pattern\":\"u.example\",\"action\":\"allow\","
		"\"words\":\"hide\"}");
}

static void test_what_restricts_and_is_not_understood_closes(void)
{
	struct mapping m;
	struct rec_category_pref pref;
	char *text;
	cJSON *json;

	mapping_init(&m);
	text = make(&m, PART_CATEGORY_PREFS,
		"{\"id\":1,\"device_id\":\"d\",\"category_id\":2,\"blocked\":\"maybe\"}");
	json = text ? json_parse(text, strlen(text)) : NULL;
	OK(json && !codec_decode(REC_category_pref, CODEC_LENIENT, json, &pref, NULL, 0));
	if (json) {
		OK(pref.head.closed);
		rec_fini(REC_category_pref, &pref);
	}
	cJSON_Delete(json);
	free(text);
}

static void test_rows_without_what_they_need_are_left_out(void)
{
	is_left_out(PART_WEBSITES, "{\"id\":1,\"url\":null,\"category_id\":1}", "without url");
	is_left_out(PART_WEBSITES, "{\"id\":1,\"url\":\"a\"}", "without category_id");
	is_left_out(PART_WORDS, "{\"word\":\"x\"}", "without id");
	is_left_out(PART_SNI_BLOCK, "{\"id\":1,\"domain\":\"  \\n\"}", "without domain");
	/* For nobody in particular: an allow would be everybody's. */
	is_left_out(PART_SITE_OVERRIDES, "{\"id\":1,\"url\":\"a\",\"action\":\"allow\"}",
		"without device_id");
}

static void add_pref(const struct mapping *m, enum mapping_part part, const char *row,
	struct hmap *records, int want)
{
	cJSON *json = json_parse(row, strlen(row));

	INT_IS(mapping_add_pref(m, part, json, records, why, sizeof(why)), want);
	cJSON_Delete(json);
}

static void free_record(void *value)
{
	cJSON_Delete(value);
}

static void test_switches_and_lists_off_of_a_device_are_one_record(void)
{
	struct hmap records;
	struct mapping m;
	char *text;

	mapping_init(&m);
	hmap_init(&records, free_record);
	add_pref(&m, PART_LIST_PREFS, "{\"device_id\":\"d\",\"list\":\"gifs\",\"enabled\":false}",
		&records, 0);
	add_pref(&m, PART_LIST_PREFS, "{\"device_id\":\"d\",\"list\":\"gifs\",\"enabled\":0}",
		&records, 0);
	/* Only what is surely off is off. */
	add_pref(&m, PART_LIST_PREFS, "{\"device_id\":\"d\",\"list\":\"maps\",\"enabled\":null}",
		&records, 0);
	add_pref(&m, PART_LIST_PREFS, "{\"device_id\":\"d\",\"list\":\"app\",\"enabled\":\"x\"}",
		&records, 0);
	add_pref(&m, PART_SWITCHES, "{\"device_id\":\"d\",\"chrome_offline\":false}", &records, 0);
	add_pref(&m, PART_SWITCHES, "{\"device_id\":\"d\",\"chrome_offline\":true}", &records, 0);
	/* … and only what is surely on line is. */
	add_pref(&m, PART_SWITCHES, "{\"device_id\":\"d\",\"vpn_offline_non_chrome\":\"odd\"}",
		&records, 0);
	add_pref(&m, PART_SWITCHES, "{\"chrome_offline\":true}", &records, -EINVAL);
	INT_IS(records.count, 1);
	mapping_finish_prefs(&records);
	text = json_format(hmap_find_str(&records, "device:d"));
	STR_IS(text, "{\"id\":\"device:d\",\"lists_off\":[\"gifs\"],\"offline_browser\":true,"
		     "\"offline_vpn\":true}");
	free(text);
	hmap_fini(&records);
}

static void test_of_contradicting_rows_the_strictest_counts(void)
{
	static const char *const rows[] = {
		"{\"device_id\":\"d\",\"list\":\"gifs\",\"enabled\":false}",
		"{\"device_id\":\"d\",\"list\":\"gifs\",\"enabled\":true}",
		"{\"device_id\":\"d\",\"list\":\"gifs\",\"enabled\":false}",
		"{\"device_id\":\"d\",\"list\":\"maps\",\"enabled\":false}"
	};
	struct hmap records;
	struct mapping m;
	char *text;

	mapping_init(&m);
	for (size_t first = 0; first < 4; first++) {
		hmap_init(&records, free_record);
		for (size_t i = 0; i < 4; i++)
			add_pref(&m, PART_LIST_PREFS, rows[(first + i) % 4], &records, 0);
		mapping_finish_prefs(&records);
		text = json_format(hmap_find_str(&records, "device:d"));
		STR_IS(text, "{\"id\":\"device:d\",\"lists_off\":[\"maps\"]}");
		free(text);
		hmap_fini(&records);
	}
}

static void test_entries_are_a_text_or_an_array(void)
{
	static const char *const rows[] = { "{\"url\":\"a.example\",\"urls\":null}",
		"{\"urls\":[\"b.example\",null,3,\"c.example\"]}",
		"{\"urls\":\"d.example\\r\\n# x\\ne.example\"}", "{\"url\":7}",
		"{\"urls\":\"[\\\"f.example\\\",\\\"g.example\\\"]\"}",
		"{\"url\":\"[Adblock Plus 2.0]\"}" };
	struct mapping m;
	struct buf text;

	mapping_init(&m);
	buf_init(&text, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cJSON *json = json_parse(rows[i], strlen(rows[i]));

		INT_IS(mapping_add_entries(&m, PART_APPS, json, &text), 0);
		cJSON_Delete(json);
	}
	STR_IS((char *)text.data, "a.example\nb.example\nc.example\nd.example\r\n# x\ne.example\n"
				  "f.example\ng.example\n[Adblock Plus 2.0]\n");
	buf_fini(&text);
}

static void set(struct mapping *m, char *room, int want)
{
	INT_IS(mapping_set(m, room, why, sizeof(why)), want);
}

static void test_names_can_be_changed(void)
{
	char part[] = "words=my_words", field[] = "words.term=text",
	     none[] = "gifs=", unknown[] = "words.color=x", nowhere[] = "nothing=x",
	     bad[] = "words=a/b", empty[] = "words.term=", text[] = "words";
	struct mapping m;
	char *made;

	mapping_init(&m);
	set(&m, part, 0);
	set(&m, field, 0);
	set(&m, none, 0);
	STR_IS(m.collections[PART_WORDS], "my_words");
	STR_IS(m.collections[PART_GIFS], "");
	made = make(&m, PART_WORDS, "{\"id\":1,\"text\":\"darn\"}");
	STR_IS(made, "{\"id\":\"1\",\"term\":\"darn\"}");
	free(made);
	set(&m, unknown, -EINVAL);
	STR_IS(why, "words.color: no such name");
	set(&m, nowhere, -EINVAL);
	set(&m, bad, -EINVAL);
	set(&m, empty, -EINVAL);
	set(&m, text, -EINVAL);
}

static void is_written(const struct rec_appeal *rec, const char *collection, const char *want)
{
	struct mapping m;
	const char *to;
	char *text;

	mapping_init(&m);
	text = mapping_format_appeal(&m, rec, &to);
	STR_IS(text, want);
	STR_IS(to, collection);
	free(text);
}

static void test_appeals_are_written_as_their_mode_says(void)
{
	char uuid[] = "u-1", url[] = "http://a.example/\"", host[] = "a.example", id[] = "12",
	     text_id[] = "12a";
	struct rec_appeal rec = {
		.uuid = uuid, .url = url, .host = host, .mode = APPEAL_MODE_APPEAL
	};

	is_written(&rec, "vpn_appeals",
		"{\"uuid\":\"u-1\",\"url\":\"http://a.example/\\\"\",\"host\":\"a.example\","
		"\"status\":\"pending\"}");
	rec.mode = APPEAL_MODE_REPORT;
	rec.category_id = id;
	is_written(&rec, "website_appeals",
		"{\"uuid\":\"u-1\",\"url\":\"http://a.example/\\\"\",\"host\":\"a.example\","
		"\"status\":\"pending\",\"mode\":\"report\",\"category_id\":12}");
	rec.category_id = text_id;
	is_written(&rec, "website_appeals",
		"{\"uuid\":\"u-1\",\"url\":\"http://a.example/\\\"\",\"host\":\"a.example\","
		"\"status\":\"pending\",\"mode\":\"report\",\"category_id\":\"12a\"}");
}

int main(void)
{
	TAP_RUN(test_rows_become_records);
	TAP_RUN(test_what_restricts_and_is_not_understood_closes);
	TAP_RUN(test_rows_without_what_they_need_are_left_out);
	TAP_RUN(test_switches_and_lists_off_of_a_device_are_one_record);
	TAP_RUN(test_of_contradicting_rows_the_strictest_counts);
	TAP_RUN(test_entries_are_a_text_or_an_array);
	TAP_RUN(test_names_can_be_changed);
	TAP_RUN(test_appeals_are_written_as_their_mode_says);
	return tap_done();
}
