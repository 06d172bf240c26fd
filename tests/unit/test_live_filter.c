/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which rows a reader of the live view asks for (SPEC A5). */
#include "apid/live_filter.h"
#include "tests/unit/tap.h"

#include <errno.h>

static int take(struct live_filter *f, const char *text, struct body_error *err)
{
	return live_filter_parse(f, text, strlen(text), err);
}

static bool has(
	const struct live_filter *f, const char *device, enum live_verdict v, const char *host)
{
	struct live_row row = { .verdict = v };

	snprintf(row.device, sizeof(row.device), "%s", device);
	snprintf(row.host, sizeof(row.host), "%s", host);
	return live_filter_has(f, &row);
}

static void test_nothing_asked_for_is_everything(void)
{
	struct live_filter f = { 0 };
	struct body_error err;

	OK(live_filter_is_empty(&f) && has(&f, "phone", LIVE_ALLOW, ""));
	OK(!take(&f, "{\"type\":\"filter\",\"devices\":[],\"verdicts\":[]}", &err));
	OK(live_filter_is_empty(&f) && has(&f, "phone", LIVE_FAILED, "a.example"));
	live_filter_fini(&f);
}

static void test_each_part_keeps_rows_out(void)
{
	struct live_filter f = { 0 };
	struct body_error err;

	OK(!take(&f,
		"{\"type\":\"filter\",\"devices\":[\"phone\",\"tv\"],\"verdicts\":[\"deny\","
		"\"unknown\"],"
		"\"host\":\"EXAM\"}",
		&err));
	OK(has(&f, "tv", LIVE_UNKNOWN, "www.example.org"));
	OK(!has(&f, "laptop", LIVE_DENY, "www.example.org"));
	OK(!has(&f, "phone", LIVE_ALLOW, "www.example.org"));
	OK(!has(&f, "phone", LIVE_DENY, "www.other.org"));
	OK(!has(&f, "phone", LIVE_DENY, ""));
	live_filter_fini(&f);
}

static void test_the_last_message_counts_whole(void)
{
	struct live_filter f = { 0 };
	struct body_error err;

	OK(!take(&f, "{\"type\":\"filter\",\"host\":\"a\"}", &err));
	OK(!take(&f, "{\"type\":\"filter\",\"verdicts\":[\"allow\"]}", &err));
	OK(!f.host[0] && has(&f, "x", LIVE_ALLOW, "b") && !has(&f, "x", LIVE_DENY, "a"));
	live_filter_fini(&f);
}

static void test_what_is_wrong_is_named_and_changes_nothing(void)
{
	static const char *const wrong[][2] = {
		{ "", "" },
		{ "[]", "" },
		{ "{}", "/type" },
		{ "{\"type\":\"other\"}", "/type" },
		{ "{\"type\":\"filter\",\"more\":1}", "/more" },
		{ "{\"type\":\"filter\",\"devices\":[5]}", "/devices/0" },
		{ "{\"type\":\"filter\",\"verdicts\":[\"maybe\"]}", "/verdicts" },
		{ "{\"type\":\"filter\",\"host\":null}", "/host" },
	};
	struct live_filter f = { 0 };
	struct body_error err;

	OK(!take(&f, "{\"type\":\"filter\",\"devices\":[\"phone\"]}", &err));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		OK(take(&f, wrong[i][0], &err) == -EINVAL);
		STR_IS(err.pointer, wrong[i][1]);
		OK(f.devices.n == 1);
	}
	live_filter_fini(&f);
}

int main(void)
{
	TAP_RUN(test_nothing_asked_for_is_everything);
	TAP_RUN(test_each_part_keeps_rows_out);
	TAP_RUN(test_the_last_message_counts_whole);
	TAP_RUN(test_what_is_wrong_is_named_and_changes_nothing);
	return tap_done();
}
