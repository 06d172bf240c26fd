/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_past.h"

#include <string.h>

void list_past_add(struct list_past *p, const struct list_past_text *text)
{
	struct list_past_text one = *text;
	const struct list_past_text *old = list_past_find(p, one.digest);
	size_t at = old ? (size_t)(old - p->v) : p->n;

	if (at == LIST_PAST_MAX)
		at--;
	else if (!old)
		p->n++;
	memmove(&p->v[1], &p->v[0], at * sizeof(p->v[0]));
	p->v[0] = one;
}

struct list_past_text *list_past_find(struct list_past *p, const char *digest)
{
	for (size_t i = 0; i < p->n; i++) {
		if (!strcmp(p->v[i].digest, digest))
			return &p->v[i];
	}
	return NULL;
}

void list_past_remove(struct list_past *p, const char *digest)
{
	struct list_past_text *one = list_past_find(p, digest);

	if (!one)
		return;
	memmove(one, one + 1, (size_t)(p->v + p->n - one - 1) * sizeof(*one));
	p->n--;
}

struct list_past_text *list_past_find_before(struct list_past *p, const char *digest)
{
	struct list_past_text *one = list_past_find(p, digest);

	return one && one + 1 < p->v + p->n ? one + 1 : NULL;
}

cJSON *list_past_encode(const struct list_past *p)
{
	cJSON *json = cJSON_CreateArray();
	bool ok = true;

	for (size_t i = 0; i < p->n; i++) {
		cJSON *one = cJSON_CreateObject();

		ok = ok && cJSON_AddStringToObject(one, "digest", p->v[i].digest) &&
		     cJSON_AddNumberToObject(one, "since", (double)p->v[i].since) &&
		     cJSON_AddNumberToObject(one, "count", (double)p->v[i].count);
		ok = json_push(json, one) && ok;
	}
	return json_whole(json, ok);
}

void list_past_decode(const cJSON *json, struct list_past *out)
{
	const cJSON *row;

	*out = (struct list_past){ 0 };
	cJSON_ArrayForEach (row, json) {
		const char *digest = cJSON_GetStringValue(json_get(row, "digest"));
		struct list_past_text *one = &out->v[out->n];

		if (out->n == LIST_PAST_MAX)
			break;
		if (!list_digest_is_good(digest) || list_past_find(out, digest))
			continue;
		memcpy(one->digest, digest, sizeof(one->digest));
		json_get_int(json_get(row, "since"), &one->since);
		json_get_int(json_get(row, "count"), &one->count);
		out->n++;
	}
}

bool list_digest_is_good(const char *text)
{
	return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}
