/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/table.h"
#include "apid/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void row_free(void *value)
{
	struct table_row *r = value;

	free(r->text);
	free(r->group);
	free(r->user);
	free(r->device);
	free(r->name);
	free(r);
}

void table_init(struct table *t)
{
	*t = (struct table){ 0 };
	hmap_init(&t->by_id, row_free);
}

void table_fini(struct table *t)
{
	hmap_fini(&t->by_id);
	free(t->sorted);
	*t = (struct table){ 0 };
}

void table_etag(const char *text, size_t len, char out[static 19])
{
	char hex[2 * DIGEST_LEN + 1];
	uint8_t sum[DIGEST_LEN] = { 0 };

	digest_sha256(text, len, sum);
	digest_format(sum, hex);
	out[0] = out[17] = '"';
	memcpy(out + 1, hex, 16);
	out[18] = '\0';
}

/* A member that is a text, copied; false without memory. */
static bool take_member(const cJSON *json, const char *name, char **out)
{
	const char *text = cJSON_GetStringValue(json_get(json, name));

	*out = text ? strdup(text) : NULL;
	return !text || *out;
}

static struct table_row *row_new(const char *id, const char *text, int *err)
{
	struct table_row *r = calloc(1, sizeof(*r) + strlen(id) + 1);
	cJSON *json;

	*err = json_read(text, strlen(text), &json);
	if (!*err && !cJSON_IsObject(json))
		*err = -EINVAL;
	if (!r)
		*err = -ENOMEM;
	if (!*err) {
		strcpy(r->id, id);
		r->len = strlen(text);
		r->text = strdup(text);
		table_etag(text, r->len, r->etag);
		r->is_off = cJSON_IsFalse(json_get(json, "active"));
		if (!r->text || !take_member(json, "group", &r->group) ||
			!take_member(json, "user", &r->user) ||
			!take_member(json, "device", &r->device) ||
			!take_member(json, "name", &r->name))
			*err = -ENOMEM;
	}
	cJSON_Delete(json);
	if (!*err)
		return r;
	if (r)
		row_free(r);
	return NULL;
}

static int grow(struct table *t)
{
	size_t cap = t->cap ? t->cap * 2 : 64;
	struct table_row **more = realloc(t->sorted, cap * sizeof(struct table_row *));

	if (!more)
		return -ENOMEM;
	t->sorted = more;
	t->cap = cap;
	return 0;
}

int table_add(struct table *t, const char *id, const char *text)
{
	int err;
	struct table_row *r = row_new(id, text, &err);

	if (!r)
		return err;
	if ((t->n == t->cap && grow(t)) || hmap_set_str(&t->by_id, id, r)) {
		row_free(r);
		return -ENOMEM;
	}
	t->sorted[t->n++] = r;
	return 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct table_row *const *left = a, *const *right = b;

	return strcmp((*left)->id, (*right)->id);
}

void table_sort(struct table *t)
{
	if (t->n)
		qsort(t->sorted, t->n, sizeof(struct table_row *), compare_rows);
}

size_t table_after(const struct table *t, const char *after)
{
	size_t low = 0, high = t->n;

	while (after[0] && low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(t->sorted[middle]->id, after) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int table_set(struct table *t, const char *id, const char *text)
{
	size_t at = table_after(t, id);
	struct table_row *old = hmap_find_str(&t->by_id, id), *r;
	int err;

	if (!old && t->n == t->cap && grow(t))
		return -ENOMEM;
	r = row_new(id, text, &err);
	if (!r)
		return err;
	if (hmap_set_str(&t->by_id, id, r)) { /* frees the old one */
		row_free(r);
		return -ENOMEM;
	}
	if (old) {
		t->sorted[at - 1] = r;
		return 0;
	}
	memmove(&t->sorted[at + 1], &t->sorted[at], (t->n - at) * sizeof(struct table_row *));
	t->sorted[at] = r;
	t->n++;
	return 0;
}

bool table_remove(struct table *t, const char *id)
{
	size_t at;

	if (!hmap_find_str(&t->by_id, id))
		return false;
	at = table_after(t, id) - 1;
	memmove(&t->sorted[at], &t->sorted[at + 1], (t->n - at - 1) * sizeof(struct table_row *));
	t->n--;
	hmap_remove_str(&t->by_id, id); /* last: id may be the row's own */
	return true;
}

const struct table_row *table_find(const struct table *t, const char *id)
{
	return hmap_find_str(&t->by_id, id);
}
