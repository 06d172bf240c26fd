/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_answer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MAX_S 3600

static void replace_nul(char *body, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (body[i] != '\\')
			continue;
		if (len - i >= 6 && !memcmp(body + i, "\\u0000", 6))
			memcpy(body + i + 2, "fffd", 4);
		i++;
	}
}

static enum directus_outcome outcome_of(int status, const char *code)
{
	static const struct {
		const char *code;
		enum directus_outcome outcome;
	} codes[] = {
		{ "FORBIDDEN", DIRECTUS_FORBIDDEN },
		{ "INVALID_CREDENTIALS", DIRECTUS_UNAUTHORIZED },
		{ "INVALID_TOKEN", DIRECTUS_UNAUTHORIZED },
		{ "TOKEN_EXPIRED", DIRECTUS_UNAUTHORIZED },
		{ "RECORD_NOT_UNIQUE", DIRECTUS_NOT_UNIQUE },
		{ "INVALID_QUERY", DIRECTUS_BAD_QUERY },
		{ "REQUESTS_EXCEEDED", DIRECTUS_BUSY },
		{ "SERVICE_UNAVAILABLE", DIRECTUS_BUSY },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		if (!strcmp(code, codes[i].code))
			return codes[i].outcome;
	}
	switch (status) {
	case 401:
		return DIRECTUS_UNAUTHORIZED;
	case 403:
		return DIRECTUS_FORBIDDEN;
	case 429:
	case 503:
		return DIRECTUS_BUSY;
	}
	return status >= 400 && status < 500 ? DIRECTUS_REFUSED : DIRECTUS_FAILED;
}

static const char *text_of(const cJSON *error, const char *name)
{
	return cJSON_GetStringValue(json_get(error, name));
}

/* "" when it is not there, or longer than any name. */
static void copy_name(char out[static 65], const char *name)
{
	snprintf(out, 65, "%s", name && strlen(name) < 65 ? name : "");
}

static unsigned parse_seconds(const char *text)
{
	unsigned long n;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return 0;
	n = strtoul(text, &end, 10);
	return *end ? 0 : n > RETRY_MAX_S ? RETRY_MAX_S : (unsigned)n;
}

static void take_error(struct directus_answer *a, const cJSON *json, const char *retry_after)
{
	const cJSON *error = cJSON_GetArrayItem(json_get(json, "errors"), 0);
	const cJSON *more = json_get(error, "extensions");
	const char *code = text_of(more, "code");
	const char *message = text_of(error, "message");

	a->outcome = outcome_of(a->status, code ? code : "");
	copy_name(a->collection, text_of(more, "collection"));
	copy_name(a->field, text_of(more, "field"));
	if (a->outcome == DIRECTUS_BUSY)
		a->retry_s = parse_seconds(retry_after);
	if (code)
		snprintf(a->text, sizeof(a->text), "%.40s: %.120s", code, message ? message : "");
	else
		snprintf(a->text, sizeof(a->text), "http status %d", a->status);
}

void directus_answer_parse(
	int status, const char *retry_after, char *body, size_t len, struct directus_answer *out)
{
	cJSON *json;

	*out = (struct directus_answer){ .status = status };
	replace_nul(body, len);
	json = len ? json_parse(body, len) : NULL;
	if (status == 204 || (status == 200 && json_get(json, "data"))) {
		out->json = status == 204 ? NULL : json;
		if (status == 204)
			cJSON_Delete(json);
		return;
	}
	if (status >= 200 && status < 300) {
		out->outcome = DIRECTUS_FAILED;
		snprintf(out->text, sizeof(out->text), "the answer is not Directus'");
	} else {
		take_error(out, json, retry_after);
	}
	cJSON_Delete(json);
}

void directus_answer_fini(struct directus_answer *a)
{
	cJSON_Delete(a->json);
	a->json = NULL;
}

const cJSON *directus_answer_data(const struct directus_answer *a)
{
	return json_get(a->json, "data");
}
