/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/json.h"
#include "tests/unit/tap.h"

#include <stdlib.h>

static bool is_json(const char *text)
{
	cJSON *value = json_parse(text, strlen(text));

	cJSON_Delete(value);
	return value;
}

static void test_accepts_every_kind_of_value(void)
{
	OK(is_json("{\"a\":[1,-2.5e3,true,false,null,\"x\\u00e9\\n\"],\"b\":{}}"));
	OK(is_json(" 0 "));
	OK(is_json("\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82 \\ud83d\\ude42\""));
}

static void test_rejects_what_follows_the_value(void)
{
	OK(!is_json("{} {}"));
	OK(!is_json("1,"));
	OK(!json_parse("{}\0", 3));
	OK(!json_parse("", 0));
}

static void test_rejects_numbers_that_json_has_not(void)
{
	OK(!is_json("01"));
	OK(!is_json("+1"));
	OK(!is_json("1."));
	OK(!is_json(".5"));
	OK(!is_json("1e"));
	OK(!is_json("0x10"));
	OK(!is_json("NaN"));
	OK(!is_json("1e999"));
	OK(!is_json("1111111111111111111111111111111111111111111111111111111111111111111111"));
}

static void test_rejects_bytes_that_are_no_utf8(void)
{
	OK(!is_json("\"\xff\""));
	OK(!is_json("\"\xc0\xaf\""));
	OK(!is_json("\"\xed\xa0\x80\""));
	OK(!is_json("\"\xf4\x90\x80\x80\""));
	OK(!is_json("\"\xe2\x82\""));
	OK(!is_json("\"\\ud800\""));
	OK(!is_json("\"\\udc00\\ud800\""));
}

static void test_rejects_nul_and_control_characters_in_strings(void)
{
	OK(!is_json("\"a\\u0000b\""));
	OK(!is_json("\"a\nb\""));
	OK(!json_parse("\"a\0b\"", 5));
}

static void test_rejects_duplicate_keys(void)
{
	OK(!is_json("{\"a\":1,\"a\":1}"));
	OK(!is_json("{\"a\":1,\"\\u0061\":2}"));
	OK(!is_json("[{\"x\":{\"b\":1,\"b\":2}}]"));
	OK(is_json("{\"a\":1,\"A\":2}"));
}

static void test_rejects_duplicate_keys_among_many(void)
{
	char text[1024] = "{";

	for (int i = 0; i < 40; i++)
		sprintf(text + strlen(text), "\"k%d\":%d,", i, i);
	strcat(text, "\"k7\":0}");
	OK(!is_json(text));
	text[strlen(text) - 5] = '_';
	OK(is_json(text));
}

static void test_rejects_depth_over_32(void)
{
	char text[80];

	memset(text, '[', 32);
	memset(text + 32, ']', 32);
	text[64] = '\0';
	OK(is_json(text));
	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	text[66] = '\0';
	OK(!is_json(text));
}

static void test_integers_are_whole_and_within_53_bits(void)
{
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} rows[] = {
		{ "0", true, 0 },
		{ "-7", true, -7 },
		{ "1750000000000", true, 1750000000000 },
		{ "9007199254740991", true, 9007199254740991 },
		{ "-9007199254740991", true, -9007199254740991 },
		{ "9007199254740992", false, 0 },
		{ "9007199254740993", false, 0 },
		{ "9007199254740994", false, 0 },
		{ "1.5", false, 0 },
		{ "1e3", true, 1000 },
		{ "\"1\"", false, 0 },
		{ "true", false, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cJSON *value = json_parse(rows[i].text, strlen(rows[i].text));
		int64_t got = 0;

		OK(value);
		OK(json_get_int(value, &got) == rows[i].good);
		INT_IS(got, rows[i].value);
		cJSON_Delete(value);
	}
}

static void test_format_keeps_large_integers(void)
{
	cJSON *value = json_parse("[9007199254740992,1750000000001]", 32);
	char *text = json_format(value);

	STR_IS(text, "[9007199254740992,1750000000001]");
	free(text);
	cJSON_Delete(value);
}

static void test_format_gives_utf8_whatever_a_string_has(void)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "K\xc3\xa4se", "\"K\xc3\xa4se\"" },
		{ "K\xc3", "\"K\\ufffd\"" },
		{ "\xf0\x9f\x98\"", "\"\\ufffd\\ufffd\\ufffd\\\"\"" },
		{ "\xfd\xa5\n\xe2\x82\xac", "\"\\ufffd\\ufffd\\u000a\xe2\x82\xac\"" },
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "", "\"\"" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cJSON *value = cJSON_CreateString(rows[i].in), *again;
		char *text = json_format(value);

		STR_IS(text, rows[i].out);
		again = json_parse(text, strlen(text));
		OK(again);
		cJSON_Delete(again);
		free(text);
		cJSON_Delete(value);
	}
}

static void test_get_is_exact_in_case(void)
{
	cJSON *value = json_parse("{\"Task\":1}", 10);

	OK(json_get(value, "Task"));
	OK(!json_get(value, "task"));
	cJSON_Delete(value);
}

int main(void)
{
	TAP_RUN(test_accepts_every_kind_of_value);
	TAP_RUN(test_rejects_what_follows_the_value);
	TAP_RUN(test_rejects_numbers_that_json_has_not);
	TAP_RUN(test_rejects_bytes_that_are_no_utf8);
	TAP_RUN(test_rejects_nul_and_control_characters_in_strings);
	TAP_RUN(test_rejects_duplicate_keys);
	TAP_RUN(test_rejects_duplicate_keys_among_many);
	TAP_RUN(test_rejects_depth_over_32);
	TAP_RUN(test_integers_are_whole_and_within_53_bits);
	TAP_RUN(test_format_keeps_large_integers);
	TAP_RUN(test_format_gives_utf8_whatever_a_string_has);
	TAP_RUN(test_get_is_exact_in_case);
	return tap_done();
}
