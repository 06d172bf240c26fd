/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/body.h"
#include "tests/unit/no_memory.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <stdlib.h>

static const char *const colours[] = { "red", "blue", NULL };
static const struct body_field inner_fields[] = {
	{ .name = "x", .type = BODY_INT, .is_required = true, .min = 0, .max = 9 },
	{ 0 },
};
static const struct body_schema inner = { .name = "Inner", .fields = inner_fields };
static const struct body_field fields[] = {
	{ .name = "name", .type = BODY_TEXT, .is_required = true, .min = 1, .max = 4 },
	{ .name = "on", .type = BODY_BOOL },
	{ .name = "colour", .type = BODY_ENUM, .values = colours },
	{ .name = "tags", .type = BODY_TEXTS, .is_nullable = true, .max = 2 },
	{ .name = "inner", .type = BODY_OBJECT, .of = &inner },
	{ .name = "list", .type = BODY_OBJECTS, .max = 2, .of = &inner },
	{ .name = "made", .type = BODY_INT, .is_read_only = true },
	{ .name = "any", .type = BODY_ANY },
	{ 0 },
};
static const struct body_schema schema = { .name = "Thing", .fields = fields };

static int check(const struct body_schema *s, const char *text, struct body_error *err)
{
	cJSON *json = json_parse(text, strlen(text));
	int r;

	if (!json)
		return -1;
	r = body_check(s, json, err);
	cJSON_Delete(json);
	return r;
}

static void test_takes_what_fits(void)
{
	struct body_error err = { .pointer = "" };

	INT_IS(check(&schema, "{\"name\":\"a\"}", &err), 0);
	INT_IS(check(&schema,
		       "{\"name\":\"abcd\",\"on\":true,\"colour\":\"blue\",\"tags\":[\"a\",\"b\"],"
		       "\"inner\":{\"x\":9},\"list\":[{\"x\":0}],\"made\":\"whatever\",\"any\":[1]"
		       "}",
		       &err),
		0);
	INT_IS(check(&schema, "{\"name\":\"a\",\"tags\":null}", &err), 0);
}

static void test_names_what_is_wrong(void)
{
	static const struct {
		const char *body, *pointer;
	} rows[] = {
		{ "[]", "" },
		{ "{}", "/name" },
		{ "{\"name\":5}", "/name" },
		{ "{\"name\":\"\"}", "/name" },
		{ "{\"name\":\"abcde\"}", "/name" },
		{ "{\"name\":\"a\",\"on\":1}", "/on" },
		{ "{\"name\":\"a\",\"on\":null}", "/on" },
		{ "{\"name\":\"a\",\"colour\":\"green\"}", "/colour" },
		{ "{\"name\":\"a\",\"tags\":\"a\"}", "/tags" },
		{ "{\"name\":\"a\",\"tags\":[\"a\",5]}", "/tags/1" },
		{ "{\"name\":\"a\",\"tags\":[\"a\",\"b\",\"c\"]}", "/tags" },
		{ "{\"name\":\"a\",\"inner\":{}}", "/inner/x" },
		{ "{\"name\":\"a\",\"inner\":{\"x\":10}}", "/inner/x" },
		{ "{\"name\":\"a\",\"inner\":{\"x\":1.5}}", "/inner/x" },
		{ "{\"name\":\"a\",\"list\":[{\"x\":1},{\"y\":1}]}", "/list/1/y" },
		{ "{\"name\":\"a\",\"a/b~c\":1}", "/a~1b~0c" },
	};
	struct body_error err = { .pointer = "" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		INT_IS(check(&schema, rows[i].body, &err), -EINVAL);
		STR_IS(err.pointer, rows[i].pointer);
		OK(err.reason[0]);
	}
}

static void test_records_of_the_bus_are_checked_by_the_codec(void)
{
	static const char *const without[] = { "addresses", NULL };
	static const struct body_schema group = {
		.name = "Group", .is_record = true, .record = REC_group
	};
	static const struct body_schema device = { .name = "Device",
		.is_record = true,
		.record = REC_device,
		.record_without = without,
		.record_fill = "{\"addresses\":[]}" };
	struct body_error err = { .pointer = "" };

	INT_IS(check(&group, "{\"id\":\"a\",\"strict\":true}", &err), 0);
	INT_IS(check(&group, "{\"id\":\"a\",\"strict\":5}", &err), -EINVAL);
	STR_IS(err.pointer, "/strict");
	INT_IS(check(&group, "{\"strict\":true}", &err), -EINVAL);
	STR_IS(err.pointer, "/id");
	INT_IS(check(&group, "{\"id\":\"a\",\"colour\":1}", &err), -EINVAL);
	STR_IS(err.pointer, "/colour");
	INT_IS(check(&device, "{\"id\":\"a\"}", &err), 0);
	INT_IS(check(&device, "{\"id\":\"a\",\"addresses\":[]}", &err), -EINVAL);
	STR_IS(err.pointer, "/addresses");
}

static void test_long_names_do_no_harm(void)
{
	char text[600];
	struct body_error err = { .pointer = "" };

	memset(text, '/', sizeof(text));
	memcpy(text, "{\"", 2);
	strcpy(text + 500, "\":1}");
	INT_IS(check(&schema, text, &err), -EINVAL);
	OK(strlen(err.pointer) < sizeof(err.pointer));
}

/* What it was when it was found: 400, as if the client had erred. */
static void test_what_cannot_be_checked_without_memory_is_not_called_wrong(void)
{
	static const char *const without[] = { "addresses", NULL };
	static const struct body_schema device = { .name = "Device",
		.is_record = true,
		.record = REC_device,
		.record_without = without,
		.record_fill = "{\"addresses\":[]}" };
	static const char text[] = "{\"id\":\"a\",\"name\":\"n\",\"group\":\"g\",\"user\":\"u\"}";
	cJSON *json = json_parse(text, strlen(text));
	struct body_error err;
	bool was = true;
	unsigned n = 0;

	while (was && tap_ok && ++n < 200) {
		no_memory_at(n);
		no_memory_switch(true);
		int r = body_check(&device, json, &err);
		no_memory_switch(false);
		was = no_memory_was();
		INT_IS(r, was ? -ENOMEM : 0);
	}
	OK(n > 5 && n < 200);
	cJSON_Delete(json);
}

int main(void)
{
	TAP_RUN(test_takes_what_fits);
	TAP_RUN(test_names_what_is_wrong);
	TAP_RUN(test_records_of_the_bus_are_checked_by_the_codec);
	TAP_RUN(test_long_names_do_no_harm);
	TAP_RUN(test_what_cannot_be_checked_without_memory_is_not_called_wrong);
	return tap_done();
}
