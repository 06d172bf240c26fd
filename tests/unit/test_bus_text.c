/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_impl.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static bool parses(const char *text)
{
	struct stamp s;

	return stamp_parse(text, strlen(text), &s);
}

static void test_reads_a_stamp(void)
{
	const char *text = "{\"gen\":12,\"wid\":\"ab\",\"full\":7}";
	const char *counted = "{\"gen\":12,\"wid\":\"ab\",\"full\":7,\"n\":3}";
	struct stamp s;

	OK(stamp_parse(text, strlen(text), &s));
	INT_IS(s.gen, 12);
	INT_IS(s.full, 7);
	STR_IS(s.wid, "ab");
	INT_IS(s.count, -1);
	OK(stamp_parse(counted, strlen(counted), &s));
	INT_IS(s.count, 3);
}

static void test_rejects_what_is_no_stamp(void)
{
	OK(!parses(""));
	OK(!parses("12"));
	OK(!parses("{\"gen\":12}"));
	OK(!parses("{\"gen\":0,\"wid\":\"a\"}"));
	OK(!parses("{\"gen\":-1,\"wid\":\"a\"}"));
	OK(!parses("{\"gen\":1.5,\"wid\":\"a\"}"));
	OK(!parses("{\"gen\":1,\"wid\":7}"));
	OK(!parses("{\"gen\":1,\"wid\":\"a\",\"full\":true}"));
	OK(!parses("{\"gen\":1,\"wid\":\"a\",\"full\":1,\"n\":\"2\"}"));
	OK(!parses("{\"gen\":1,\"wid\":\"0123456789abcdef0123456789abcdefX\"}"));
}

static void test_stamps_differ_by_generation_or_write(void)
{
	struct stamp a = { .gen = 1, .wid = "x" }, b = a;

	OK(stamp_equal(&a, &b));
	b.wid[0] = 'y';
	OK(!stamp_equal(&a, &b));
	b = a;
	b.gen = 2;
	OK(!stamp_equal(&a, &b));
}

static void test_reads_topic_and_owner(void)
{
	enum bus_topic t;
	enum bus_daemon d;

	OK(bus_topic_owner_parse("devices:apid", &t, &d));
	INT_IS(t, TOPIC_devices);
	INT_IS(d, BUS_APID);
	OK(!bus_topic_owner_parse("devices", &t, &d));
	OK(!bus_topic_owner_parse("device:apid", &t, &d));
	OK(!bus_topic_owner_parse("devices:nobody", &t, &d));
	OK(!bus_topic_owner_parse(":", &t, &d));
}

static void test_quotes_json_strings(void)
{
	struct buf out;

	buf_init(&out, 0);
	bus_json_string(&out, "a\"b");
	STR_IS((const char *)out.data, "\"a\\\"b\"");
	buf_fini(&out);
}

static void test_ids_are_random(void)
{
	char a[33], b[33];

	bus_random_id(a);
	bus_random_id(b);
	INT_IS(strlen(a), 32);
	OK(strcmp(a, b));
}

/* A topic with two owners or a reader that is no owner must be known to the ACL: see bus-acl. */
static void test_every_topic_has_an_owner(void)
{
	for (int t = 0; t < BUS_TOPICS; t++)
		OK(bus_topics[t].owners && bus_topics[t].readers);
}

int main(void)
{
	TAP_RUN(test_reads_a_stamp);
	TAP_RUN(test_rejects_what_is_no_stamp);
	TAP_RUN(test_stamps_differ_by_generation_or_write);
	TAP_RUN(test_reads_topic_and_owner);
	TAP_RUN(test_quotes_json_strings);
	TAP_RUN(test_ids_are_random);
	TAP_RUN(test_every_topic_has_an_owner);
	return tap_done();
}
