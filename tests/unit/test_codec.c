/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/codec.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdlib.h>

static int decode(
	enum rec_type type, enum codec_mode mode, const char *text, void *out, char err[128])
{
	cJSON *json = json_parse(text, strlen(text));
	int r;

	OK(json);
	err[0] = '\0';
	r = codec_decode(type, mode, json, out, err, 128);
	cJSON_Delete(json);
	return r;
}

static const char full_device[] =
	"{\"id\":\"a\",\"user\":\"u\",\"active\":true,\"expires_at\":1750000000000,\"tunnel\":"
	"\"mitm\","
	"\"addresses\":[\"10.9.0.2\",\"fd09::2\"],\"profile\":\"internet\",\"strict\":false,"
	"\"site_scope\":\"browser\",\"safe_search\":{\"google\":true,\"youtube\":\"off\"},"
	"\"schedules\":[{\"what\":\"all\",\"days\":[\"mon\"],\"from\":\"22:00\",\"to\":\"06:00\"}]"
	"}";

static void test_decodes_every_kind_of_field(void)
{
	struct rec_device d;
	char err[128];

	INT_IS(decode(REC_device, CODEC_STRICT, full_device, &d, err), 0);
	STR_IS(d.id, "a");
	OK(d.active && rec_has(&d, device, active));
	INT_IS(d.expires_at, 1750000000000);
	INT_IS(d.addresses.n, 2);
	STR_IS(d.addresses.v[1], "fd09::2");
	OK(rec_has(&d.policy, policy_fields, strict) && !d.policy.strict);
	INT_IS(d.policy.site_scope, SITE_SCOPE_BROWSER);
	INT_IS(d.policy.safe_search->youtube, SAFE_LEVEL_OFF);
	OK(!rec_has(d.policy.safe_search, safe_search, bing));
	INT_IS(d.policy.schedules.n, 1);
	STR_IS(d.policy.schedules.v[0].from, "22:00");
	OK(!d.head.closed && !d.head.ignored);
	rec_fini(REC_device, &d);
	OK(!d.id && !d.addresses.v);
}

static void test_absent_fields_are_zero_and_not_marked(void)
{
	struct rec_device d;
	char err[128];

	INT_IS(decode(REC_device, CODEC_LENIENT, "{\"id\":\"a\",\"addresses\":[]}", &d, err), 0);
	OK(!d.user && !rec_has(&d, device, user) && !rec_has(&d, device, policy));
	OK(rec_has(&d, device, addresses));
	rec_fini(REC_device, &d);
}

static void test_lenient_wrong_restricting_field_closes(void)
{
	static const char *const texts[] = {
		"{\"id\":\"a\",\"addresses\":[],\"active\":1}",
		"{\"id\":\"a\",\"addresses\":[],\"active\":null}",
		"{\"id\":\"a\",\"addresses\":[],\"expires_at\":\"never\"}",
		"{\"id\":\"a\",\"addresses\":[],\"expires_at\":1.5}",
		"{\"id\":\"a\",\"addresses\":[],\"egress\":\"wide\"}",
		"{\"id\":\"a\",\"addresses\":[],\"safe_search\":[]}",
		"{\"id\":\"a\",\"addresses\":[],\"safe_search\":{\"google\":3}}",
		"{\"id\":\"a\",\"addresses\":[],\"schedules\":[{\"what\":\"all\",\"from\":5}]}",
		"{\"id\":\"a\",\"addresses\":[],\"schedules\":[{}]}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct rec_device d;
		char err[128];

		INT_IS(decode(REC_device, CODEC_LENIENT, texts[i], &d, err), 0);
		OK(d.head.closed);
		rec_fini(REC_device, &d);
	}
}

static void test_lenient_wrong_optional_field_is_absent_and_counted(void)
{
	struct rec_device d;
	char err[128];

	INT_IS(decode(REC_device, CODEC_LENIENT,
		       "{\"id\":\"a\",\"addresses\":[],\"name\":5,\"new_field\":1}", &d, err),
		0);
	OK(!d.head.closed && !d.name && !rec_has(&d, device, name));
	INT_IS(d.head.ignored, 2);
	rec_fini(REC_device, &d);
}

static void test_required_field_missing_or_wrong_is_an_error(void)
{
	struct rec_device d;
	char err[128];

	INT_IS(decode(REC_device, CODEC_LENIENT, "{\"addresses\":[]}", &d, err), -EINVAL);
	STR_IS(err, "device.id: missing");
	INT_IS(decode(REC_device, CODEC_LENIENT, "{\"id\":\"a\",\"addresses\":\"x\"}", &d, err),
		-EINVAL);
	STR_IS(err, "device.addresses: not an array");
	INT_IS(decode(REC_device, CODEC_LENIENT, "{\"id\":\"\",\"addresses\":[]}", &d, err),
		-EINVAL);
	STR_IS(err, "device.id: empty");
	INT_IS(decode(REC_device, CODEC_LENIENT, "[]", &d, err), -EINVAL);
	STR_IS(err, "device: not an object");
}

static void test_failure_leaves_the_output_untouched(void)
{
	struct rec_device d, before;
	char err[128];

	memset(&d, 0x5a, sizeof(d));
	memcpy(&before, &d, sizeof(d));
	INT_IS(decode(REC_device, CODEC_LENIENT, "{\"id\":\"a\",\"name\":\"n\"}", &d, err),
		-EINVAL);
	OK(!memcmp(&d, &before, sizeof(d)));
}

static void test_strict_names_the_wrong_field(void)
{
	static const struct {
		const char *text, *err;
	} rows[] = {
		{ "{\"id\":\"a\",\"addresses\":[],\"name\":5}", "device.name: not a string" },
		{ "{\"id\":\"a\",\"addresses\":[],\"colour\":5}", "device.colour: unknown field" },
		{ "{\"id\":\"a\",\"addresses\":[1]}", "device.addresses[0]: not a string" },
		{ "{\"id\":\"a\",\"addresses\":[],\"egress\":\"x\"}",
			"device.egress: unknown value" },
		{ "{\"id\":\"a\",\"addresses\":[],\"schedules\":[{\"what\":\"all\"},{\"what\":1}]}",
			"device.schedules[1].what: not a string" },
		{ "{\"id\":\"a\",\"addresses\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\","
		  "\"9\"]}",
			"device.addresses: too many elements" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rec_device d;
		char err[128];

		INT_IS(decode(REC_device, CODEC_STRICT, rows[i].text, &d, err), -EINVAL);
		STR_IS(err, rows[i].err);
	}
}

static void test_strict_rejects_a_string_over_its_length(void)
{
	char text[200] = "{\"id\":\"", err[128];
	struct rec_search_word w;

	memset(text + 7, 'x', 65);
	strcpy(text + 72, "\",\"term\":\"t\"}");
	INT_IS(decode(REC_search_word, CODEC_STRICT, text, &w, err), -EINVAL);
	STR_IS(err, "search_word.id: too long");
}

static void test_strict_rejects_a_field_given_twice(void)
{
	cJSON *json = cJSON_CreateObject();
	struct rec_search_word w;
	char err[128];

	cJSON_AddStringToObject(json, "id", "a");
	cJSON_AddStringToObject(json, "term", "b");
	cJSON_AddStringToObject(json, "term", "c");
	INT_IS(codec_decode(REC_search_word, CODEC_STRICT, json, &w, err, sizeof(err)), -EINVAL);
	cJSON_Delete(json);
}

static void test_keyword_has_no_underscore_in_json(void)
{
	struct rec_category c;
	char err[128];

	INT_IS(decode(REC_category, CODEC_STRICT, "{\"id\":\"a\",\"default\":\"allow\"}", &c, err),
		0);
	INT_IS(c.default_, ACTION_ALLOW);
	rec_fini(REC_category, &c);
}

static void test_setting_holds_any_json(void)
{
	struct rec_setting s, copy;
	char err[128];
	cJSON *out;
	char *text;

	INT_IS(decode(REC_setting, CODEC_STRICT, "{\"id\":\"k\",\"value\":{\"a\":[1,null]}}", &s,
		       err),
		0);
	out = codec_encode(REC_setting, &s);
	text = json_format(out);
	STR_IS(text, "{\"id\":\"k\",\"value\":{\"a\":[1,null]}}");
	free(text);
	cJSON_Delete(out);
	INT_IS(rec_copy(REC_setting, &s, &copy), 0);
	rec_fini(REC_setting, &s);
	out = codec_encode(REC_setting, &copy);
	text = json_format(out);
	STR_IS(text, "{\"id\":\"k\",\"value\":{\"a\":[1,null]}}");
	free(text);
	cJSON_Delete(out);
	rec_fini(REC_setting, &copy);
}

static int decode_nested(int depth)
{
	cJSON *json = cJSON_CreateObject(), *value = NULL;
	struct rec_setting s;

	for (int i = 0; i < depth; i++) {
		cJSON *outer = cJSON_CreateArray();
		cJSON_AddItemToArray(outer, value);
		value = outer;
	}
	cJSON_AddStringToObject(json, "id", "k");
	cJSON_AddItemToObject(json, "value", value);
	int err = codec_decode(REC_setting, CODEC_STRICT, json, &s, NULL, 0);
	if (!err)
		rec_fini(REC_setting, &s);
	cJSON_Delete(json);
	return err;
}

static void test_json_in_a_record_has_32_levels_at_most(void)
{
	INT_IS(decode_nested(32), 0);
	INT_IS(decode_nested(33), -EINVAL);
}

static char *encode_text(enum rec_type type, const void *rec)
{
	cJSON *json = codec_encode(type, rec);
	char *text = json_format(json);

	cJSON_Delete(json);
	return text;
}

static void test_encode_gives_back_what_was_decoded(void)
{
	struct rec_device d, copy;
	char err[128], *text, *again;

	INT_IS(decode(REC_device, CODEC_STRICT, full_device, &d, err), 0);
	text = encode_text(REC_device, &d);
	STR_IS(text, full_device);
	INT_IS(rec_copy(REC_device, &d, &copy), 0);
	rec_fini(REC_device, &d);
	again = encode_text(REC_device, &copy);
	STR_IS(again, full_device);
	rec_fini(REC_device, &copy);
	free(text);
	free(again);
}

static void test_a_closed_record_is_encoded_as_a_closed_one(void)
{
	struct rec_device d, again;
	char err[128], *text;

	INT_IS(decode(REC_device, CODEC_LENIENT, "{\"id\":\"a\",\"addresses\":[],\"strict\":7}", &d,
		       err),
		0);
	text = encode_text(REC_device, &d);
	INT_IS(decode(REC_device, CODEC_LENIENT, text, &again, err), 0);
	OK(again.head.closed);
	free(text);
	rec_fini(REC_device, &d);
	rec_fini(REC_device, &again);
}

static void test_enum_texts_go_both_ways(void)
{
	int value = -1;

	STR_IS(enum_text(ENUM_ID_action, ACTION_BLOCK), "block");
	OK(!enum_text(ENUM_ID_action, 2) && !enum_text(ENUM_ID_action, -1));
	INT_IS(enum_parse(ENUM_ID_privacy, "full", &value), 0);
	INT_IS(value, PRIVACY_FULL);
	INT_IS(enum_parse(ENUM_ID_privacy, "Full", &value), -EINVAL);
	INT_IS(value, PRIVACY_FULL);
}

int main(void)
{
	TAP_RUN(test_decodes_every_kind_of_field);
	TAP_RUN(test_absent_fields_are_zero_and_not_marked);
	TAP_RUN(test_lenient_wrong_restricting_field_closes);
	TAP_RUN(test_lenient_wrong_optional_field_is_absent_and_counted);
	TAP_RUN(test_required_field_missing_or_wrong_is_an_error);
	TAP_RUN(test_failure_leaves_the_output_untouched);
	TAP_RUN(test_strict_names_the_wrong_field);
	TAP_RUN(test_strict_rejects_a_string_over_its_length);
	TAP_RUN(test_strict_rejects_a_field_given_twice);
	TAP_RUN(test_keyword_has_no_underscore_in_json);
	TAP_RUN(test_setting_holds_any_json);
	TAP_RUN(test_json_in_a_record_has_32_levels_at_most);
	TAP_RUN(test_encode_gives_back_what_was_decoded);
	TAP_RUN(test_a_closed_record_is_encoded_as_a_closed_one);
	TAP_RUN(test_enum_texts_go_both_ways);
	return tap_done();
}
