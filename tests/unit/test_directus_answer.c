/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers as a real Directus 11.3 gave them. */
#include "syncd/directus_answer.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static struct directus_answer parse(int status, const char *retry_after, const char *body)
{
	struct directus_answer a;
	char *copy = strdup(body);

	directus_answer_parse(status, retry_after, copy, strlen(copy), &a);
	free(copy);
	return a;
}

static void test_rows_are_given(void)
{
	struct directus_answer a =
		parse(200, NULL, "{\"data\":[{\"id\":3,\"url\":\"https://example.net/a?b=c\"}]}");

	INT_IS(a.outcome, DIRECTUS_OK);
	INT_IS(cJSON_GetArraySize(directus_answer_data(&a)), 1);
	directus_answer_fini(&a);
}

static void test_created_without_a_body_is_good(void)
{
	struct directus_answer a = parse(204, NULL, "");

	INT_IS(a.outcome, DIRECTUS_OK);
	OK(!a.json && !directus_answer_data(&a));
}

static void test_errors_are_told_by_their_code(void)
{
	static const struct {
		int status;
		const char *body;
		enum directus_outcome want;
	} rows[] = {
		{ 403,
			"{\"errors\":[{\"message\":\"You don't have permission to access this.\","
			"\"extensions\":{\"code\":\"FORBIDDEN\"}}]}",
			DIRECTUS_FORBIDDEN },
		{ 401,
			"{\"errors\":[{\"message\":\"Invalid user credentials.\",\"extensions\":"
			"{\"code\":\"INVALID_CREDENTIALS\"}}]}",
			DIRECTUS_UNAUTHORIZED },
		{ 401,
			"{\"errors\":[{\"message\":\"Token expired.\",\"extensions\":{\"code\":"
			"\"TOKEN_EXPIRED\"}}]}",
			DIRECTUS_UNAUTHORIZED },
		{ 400,
			"{\"errors\":[{\"message\":\"Invalid query. \\\"limit\\\" must be less "
			"than or "
			"equal to "
			"2.\",\"extensions\":{\"reason\":\"x\",\"code\":\"INVALID_QUERY\"}}]}",
			DIRECTUS_BAD_QUERY },
		{ 400,
			"{\"errors\":[{\"message\":\"Value for field \\\"appeals_client_key\\\" in "
			"collection \\\"vpn\\\" has to be unique.\",\"extensions\":{\"collection\":"
			"\"vpn\",\"primaryKey\":false,\"code\":\"RECORD_NOT_UNIQUE\"}}]}",
			DIRECTUS_NOT_UNIQUE },
		{ 400, "{\"errors\":[{\"extensions\":{\"code\":\"INVALID_PAYLOAD\"}}]}",
			DIRECTUS_REFUSED },
		{ 500,
			"{\"errors\":[{\"message\":\"An unexpected error "
			"occurred.\",\"extensions\":"
			"{\"code\":\"INTERNAL_SERVER_ERROR\"}}]}",
			DIRECTUS_FAILED },
		{ 502, "<html>Bad Gateway</html>", DIRECTUS_FAILED },
		{ 404, "", DIRECTUS_REFUSED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct directus_answer a = parse(rows[i].status, NULL, rows[i].body);

		INT_IS(a.outcome, rows[i].want);
		OK(*a.text && !a.json);
	}
}

static void test_busy_says_when_to_come_again(void)
{
	static const char body[] =
		"{\"errors\":[{\"message\":\"Too many requests, retry after 3s.\","
		"\"extensions\":{\"limit\":3,\"code\":\"REQUESTS_EXCEEDED\"}}]}";

	INT_IS(parse(429, "3", body).retry_s, 3);
	INT_IS(parse(503, "7", "").retry_s, 7);
	INT_IS(parse(503, "99999999999", "").retry_s, 3600);
	INT_IS(parse(429, NULL, body).retry_s, 0);
	INT_IS(parse(429, "Sun, 22 Nov 2026 00:50:14 GMT", body).retry_s, 0);
	INT_IS(parse(429, "-1", body).outcome, DIRECTUS_BUSY);
}

static void test_what_is_no_json_object_is_no_answer(void)
{
	static const char *const bodies[] = { "", "[]", "{\"data\":[", "<html>", "{\"data\":1} x" };

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
		INT_IS(parse(200, NULL, bodies[i]).outcome, DIRECTUS_FAILED);
	INT_IS(parse(200, NULL, "null").outcome, DIRECTUS_FAILED);
}

static void test_what_has_no_data_is_no_answer(void)
{
	static const char *const bodies[] = { "{}", "{\"ok\":true}", "{\"Data\":[]}",
		"{\"errors\":[]}" };

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
		INT_IS(parse(200, NULL, bodies[i]).outcome, DIRECTUS_FAILED);
}

static void test_column_of_an_error_is_told(void)
{
	struct directus_answer a = parse(400, NULL,
		"{\"errors\":[{\"message\":\"m\",\"extensions\":{\"code\":\"RECORD_NOT_UNIQUE\","
		"\"collection\":\"website\",\"field\":\"url\"}}]}");

	INT_IS(a.outcome, DIRECTUS_NOT_UNIQUE);
	STR_IS(a.field, "url");
	STR_IS(a.collection, "website");
	a = parse(400, NULL,
		"{\"errors\":[{\"extensions\":{\"code\":\"RECORD_NOT_UNIQUE\",\"field\":null}}]}");
	STR_IS(a.field, "");
}

static void test_nul_in_a_string_spoils_no_other_row(void)
{
	struct directus_answer a = parse(200, NULL,
		"{\"data\":[{\"d\":\"nul\\u0000x\"},{\"d\":\"back\\\\u0000\"},{\"d\":\"good\"}]}");
	const cJSON *data = directus_answer_data(&a);

	INT_IS(cJSON_GetArraySize(data), 3);
	STR_IS(cJSON_GetStringValue(json_get(cJSON_GetArrayItem(data, 0), "d")),
		"nul\xef\xbf\xbdx");
	STR_IS(cJSON_GetStringValue(json_get(cJSON_GetArrayItem(data, 1), "d")), "back\\u0000");
	directus_answer_fini(&a);
}

int main(void)
{
	TAP_RUN(test_rows_are_given);
	TAP_RUN(test_created_without_a_body_is_good);
	TAP_RUN(test_errors_are_told_by_their_code);
	TAP_RUN(test_busy_says_when_to_come_again);
	TAP_RUN(test_what_is_no_json_object_is_no_answer);
	TAP_RUN(test_what_has_no_data_is_no_answer);
	TAP_RUN(test_column_of_an_error_is_told);
	TAP_RUN(test_nul_in_a_string_spoils_no_other_row);
	return tap_done();
}
