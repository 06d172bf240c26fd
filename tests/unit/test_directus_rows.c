/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_rows.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <string.h>

static void add(struct directus_rows *r, double id)
{
	cJSON *row = cJSON_CreateObject();

	cJSON_AddNumberToObject(row, "id", id);
	INT_IS(directus_rows_add(r, row), 0);
	cJSON_Delete(row);
}

static void make(struct directus_rows *r, int from, int to, int step)
{
	directus_rows_init(r);
	for (int i = from; i < to; i += step)
		add(r, i);
	directus_rows_finish(r);
}

static uint64_t removed(int to, int from, int step)
{
	struct directus_rows before, after;
	uint64_t n;

	make(&before, 0, to, 1);
	make(&after, from, to, step);
	n = directus_rows_removed(&before, &after);
	directus_rows_fini(&before);
	directus_rows_fini(&after);
	return n;
}

static void test_few_rows_are_compared_exactly(void)
{
	INT_IS(removed(6, 0, 1), 0);
	INT_IS(removed(6, 6, 1), 6);
	INT_IS(removed(6, 2, 1), 2);
	INT_IS(removed(ROWS_SAMPLE, 1000, 1), 1000);
	INT_IS(removed(0, 0, 1), 0);
}

static void test_many_rows_are_compared_by_a_sample(void)
{
	uint64_t half = removed(100000, 0, 2), fifth = removed(100000, 20000, 1);

	OK(half > 45000 && half < 55000);
	OK(fifth > 16000 && fifth < 24000);
	INT_IS(removed(100000, 100000, 1), 100000);
	INT_IS(removed(100000, 0, 1), 0);
	/* A few of what was many. */
	OK(removed(100000, 99000, 1) > 97000);
}

static void test_other_rows_in_their_place_are_no_replacement(void)
{
	struct directus_rows before, after;

	make(&before, 0, 500, 1);
	make(&after, 1000, 1500, 1);
	INT_IS(directus_rows_removed(&before, &after), 500);
	directus_rows_fini(&after);
	/* Many new ones beside the old are. */
	make(&after, 0, 60000, 1);
	INT_IS(directus_rows_removed(&before, &after), 0);
	directus_rows_fini(&before);
	directus_rows_fini(&after);
}

static void test_a_row_removed_by_ourselves_is_not_missing(void)
{
	struct directus_rows before, after;

	make(&before, 0, 10, 1);
	make(&after, 5, 10, 1);
	for (int i = 0; i < 5; i++) {
		char key[2] = { (char)('0' + i), 0 };

		directus_rows_remove(&before, key);
		directus_rows_remove(&before, "unknown");
	}
	INT_IS(before.count, 5);
	INT_IS(directus_rows_removed(&before, &after), 0);
	directus_rows_fini(&before);
	directus_rows_fini(&after);
}

static void test_a_sample_comes_back_from_its_text(void)
{
	struct directus_rows before, after;
	cJSON *json;

	make(&before, 0, 5000, 1);
	before.columns = 5;
	json = directus_rows_format(&before);
	INT_IS(directus_rows_parse(json, &after), 0);
	INT_IS(after.count, 5000);
	INT_IS(after.columns, 5);
	INT_IS(after.n, ROWS_SAMPLE);
	OK(!memcmp(before.hashes, after.hashes, ROWS_SAMPLE * sizeof(*after.hashes)));
	directus_rows_fini(&before);
	directus_rows_fini(&after);
	cJSON_Delete(json);
}

static void test_a_damaged_text_is_refused(void)
{
	static const char *const texts[] = { "{}", "[]", "null",
		"{\"rows\":1,\"columns\":1,\"sample\":\"0123456789abcdeg\"}",
		"{\"rows\":1,\"columns\":1,\"sample\":\"0123456789abcde\"}",
		"{\"rows\":0,\"columns\":1,\"sample\":\"0123456789abcdef\"}",
		"{\"rows\":-1,\"columns\":1,\"sample\":\"\"}",
		"{\"rows\":1,\"columns\":999,\"sample\":\"\"}",
		"{\"rows\":\"1\",\"columns\":1,\"sample\":\"\"}" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		cJSON *json = json_parse(texts[i], strlen(texts[i]));
		struct directus_rows r;

		INT_IS(directus_rows_parse(json, &r), -EINVAL);
		cJSON_Delete(json);
	}
	INT_IS(directus_rows_parse(NULL, &(struct directus_rows){ 0 }), -EINVAL);
}

static void test_keys_may_be_texts(void)
{
	cJSON *row = json_parse("{\"id\":\"7\"}", 10), *other = json_parse("{\"id\":\"8\"}", 10);
	struct directus_rows a, b;

	directus_rows_init(&a);
	directus_rows_init(&b);
	directus_rows_add(&a, row);
	directus_rows_add(&b, other);
	directus_rows_finish(&a);
	directus_rows_finish(&b);
	INT_IS(directus_rows_removed(&a, &b), 1);
	INT_IS(directus_rows_removed(&a, &a), 0);
	directus_rows_fini(&a);
	directus_rows_fini(&b);
	cJSON_Delete(row);
	cJSON_Delete(other);
}

int main(void)
{
	TAP_RUN(test_few_rows_are_compared_exactly);
	TAP_RUN(test_many_rows_are_compared_by_a_sample);
	TAP_RUN(test_other_rows_in_their_place_are_no_replacement);
	TAP_RUN(test_a_row_removed_by_ourselves_is_not_missing);
	TAP_RUN(test_a_sample_comes_back_from_its_text);
	TAP_RUN(test_a_damaged_text_is_refused);
	TAP_RUN(test_keys_may_be_texts);
	return tap_done();
}
