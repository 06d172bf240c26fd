/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_rows.h"
#include "common/siphash.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM	   (2 * ROWS_SAMPLE)
#define HEX_DIGITS 16

void directus_rows_init(struct directus_rows *r)
{
	*r = (struct directus_rows){ .limit = UINT64_MAX };
}

void directus_rows_fini(struct directus_rows *r)
{
	free(r->hashes);
	directus_rows_init(r);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void directus_rows_finish(struct directus_rows *r)
{
	if (!r->n)
		return;
	qsort(r->hashes, r->n, sizeof(*r->hashes), compare);
	if (r->n <= ROWS_SAMPLE)
		return;
	r->n = ROWS_SAMPLE;
	r->limit = r->hashes[ROWS_SAMPLE - 1];
}

static uint64_t hash_key(const char *text)
{
	/* The same in every run, since samples are kept over restarts. */
	static const uint8_t key[16] = { 0 };

	return siphash13(key, text, strlen(text));
}

void directus_rows_remove(struct directus_rows *r, const char *key)
{
	uint64_t hash = hash_key(key), *at = NULL;

	if (r->n)
		at = bsearch(&hash, r->hashes, r->n, sizeof(hash), compare);
	if (at)
		memmove(at, at + 1, (size_t)(r->hashes + --r->n - at) * sizeof(*at));
	/* In a sample of all, what is not there was none of them. */
	if (r->count && (at || r->count > r->n))
		r->count--;
}

int directus_rows_add(struct directus_rows *r, const cJSON *row)
{
	const cJSON *id = json_get(row, "id");
	const char *text = cJSON_GetStringValue(id);
	char number[24];
	int64_t n = 0;
	uint64_t hash;

	json_get_int(id, &n);
	snprintf(number, sizeof(number), "%" PRId64, n);
	text = text ? text : number;
	hash = hash_key(text);
	r->count++;
	if (hash > r->limit)
		return 0;
	if (!r->hashes)
		r->hashes = malloc(ROOM * sizeof(*r->hashes));
	if (!r->hashes)
		return -ENOMEM;
	r->hashes[r->n++] = hash;
	if (r->n == ROOM)
		directus_rows_finish(r);
	return 0;
}

uint64_t directus_rows_removed(
	const struct directus_rows *before, const struct directus_rows *after)
{
	uint64_t judged = 0, missing = 0;
	bool all = after->count <= after->n;

	for (size_t i = 0; i < before->n; i++) {
		uint64_t hash = before->hashes[i];

		/* Above the second sample nothing is known. */
		if (!all && hash > after->hashes[after->n - 1])
			break;
		judged++;
		missing += !after->n ||
			   !bsearch(&hash, after->hashes, after->n, sizeof(hash), compare);
	}
	/* Whatever the sample says: as many are gone as there are fewer. */
	if (!judged)
		return before->count > after->count ? before->count - after->count : 0;
	return (uint64_t)((double)missing / (double)judged * (double)before->count + 0.5);
}

cJSON *directus_rows_format(const struct directus_rows *r)
{
	cJSON *json = cJSON_CreateObject();
	char *text = malloc(r->n * HEX_DIGITS + 1);

	if (!json || !text) {
		cJSON_Delete(json);
		free(text);
		return NULL;
	}
	text[0] = 0;
	for (size_t i = 0; i < r->n; i++)
		sprintf(text + i * HEX_DIGITS, "%016" PRIx64, r->hashes[i]);
	cJSON_AddNumberToObject(json, "rows", (double)r->count);
	cJSON_AddNumberToObject(json, "columns", r->columns);
	cJSON_AddStringToObject(json, "sample", text);
	free(text);
	return json;
}

static bool parse_hash(const char *text, uint64_t *out)
{
	char digits[HEX_DIGITS + 1], *end;

	memcpy(digits, text, HEX_DIGITS);
	digits[HEX_DIGITS] = 0;
	if (strspn(digits, "0123456789abcdef") != HEX_DIGITS)
		return false;
	*out = strtoull(digits, &end, HEX_DIGITS);
	return true;
}

int directus_rows_parse(const cJSON *json, struct directus_rows *out)
{
	const char *text = cJSON_GetStringValue(json_get(json, "sample"));
	size_t len = text ? strlen(text) : 0;
	int64_t count, columns;

	directus_rows_init(out);
	if (!text || len % HEX_DIGITS || len / HEX_DIGITS > ROWS_SAMPLE ||
		!json_get_int(json_get(json, "rows"), &count) ||
		!json_get_int(json_get(json, "columns"), &columns) || count < 0 || columns < 0 ||
		columns > 255 || (uint64_t)count < len / HEX_DIGITS)
		return -EINVAL;
	out->hashes = malloc(ROOM * sizeof(*out->hashes));
	if (!out->hashes)
		return -ENOMEM;
	for (; out->n < len / HEX_DIGITS; out->n++) {
		if (!parse_hash(text + out->n * HEX_DIGITS, &out->hashes[out->n])) {
			directus_rows_fini(out);
			return -EINVAL;
		}
	}
	out->count = (uint64_t)count;
	out->columns = (unsigned)columns;
	qsort(out->hashes, out->n, sizeof(*out->hashes), compare);
	return 0;
}
