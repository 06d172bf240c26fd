/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_read.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 255

bool directus_is_name(const char *name)
{
	size_t len =
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

	return len && !name[len] && len < DIRECTUS_NAME_MAX;
}

int directus_parse_source(const char *text, char collection[static DIRECTUS_NAME_MAX],
	char field[static DIRECTUS_NAME_MAX])
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (len >= DIRECTUS_NAME_MAX)
		return -EINVAL;
	snprintf(collection, DIRECTUS_NAME_MAX, "%.*s", (int)len, text);
	snprintf(field, DIRECTUS_NAME_MAX, "%s", colon && colon[1] ? colon + 1 : "domain");
	return directus_is_name(collection) && directus_is_name(field) ? 0 : -EINVAL;
}

static int ask(struct directus_read *r);

static void end(struct directus_read *r, const struct directus_answer *a)
{
	free(r->key);
	r->key = NULL;
	r->on_end(r->arg, a);
}

static void fail(struct directus_read *r, enum directus_outcome outcome, const char *why)
{
	struct directus_answer a = { .outcome = outcome };

	snprintf(a.text, sizeof(a.text), "%s", why);
	end(r, &a);
}

/* The row's key becomes the reading's; a server that does not count upwards would be read for ever.
 */
static int take_key(struct directus_read *r, const cJSON *row)
{
	const cJSON *id = json_get(row, "id");
	char text[24];
	int64_t number;

	if (json_get_int(id, &number)) {
		if (r->key && number <= r->number)
			return -EPROTO;
		r->number = number;
		snprintf(text, sizeof(text), "%" PRId64, number);
	} else if (!cJSON_IsString(id) || !*id->valuestring || strlen(id->valuestring) > KEY_MAX ||
		   (r->key && !strcmp(id->valuestring, r->key))) {
		return -EPROTO;
	}
	free(r->key);
	r->key = strdup(cJSON_IsString(id) ? id->valuestring : text);
	return r->key ? 0 : -ENOMEM;
}

static void take_page(struct directus_read *r, const cJSON *rows)
{
	const cJSON *row;
	int err;

	cJSON_ArrayForEach (row, rows) {
		err = take_key(r, row);
		if (err) {
			fail(r, err == -EPROTO ? DIRECTUS_REFUSED : DIRECTUS_FAILED,
				err == -EPROTO ? "rows without an ascending key \"id\""
					       : "out of memory");
			return;
		}
		if (++r->rows > (r->rows_max ? r->rows_max : DIRECTUS_ROWS_MAX)) {
			fail(r, DIRECTUS_REFUSED, "far more rows come than are counted");
			return;
		}
		err = r->on_row(r->arg, row);
		if (err) {
			fail(r, err == -ENOSPC ? DIRECTUS_REFUSED : DIRECTUS_FAILED,
				err == -ENOSPC ? "too large" : strerror(-err));
			return;
		}
	}
	if (ask(r))
		fail(r, DIRECTUS_FAILED, "out of memory");
}

static void on_answer(void *arg, struct directus_answer *a)
{
	struct directus_read *r = arg;
	const cJSON *rows = directus_answer_data(a);

	if ((a->outcome == DIRECTUS_BAD_QUERY || a->too_large) && r->page > 1) {
		r->page /= 2;
		if (ask(r))
			fail(r, DIRECTUS_FAILED, "out of memory");
	} else if (a->outcome != DIRECTUS_OK) {
		end(r, a);
	} else if (!cJSON_IsArray(rows)) {
		fail(r, DIRECTUS_REFUSED, "the answer has no rows");
	} else if (!rows->child) {
		end(r, a);
	} else {
		take_page(r, rows);
	}
}

static void append_encoded(char *to, const char *text)
{
	for (to += strlen(to); *text; text++) {
		bool plain = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
			     (*text >= 'A' && *text <= 'Z') || *text == '-';

		to += sprintf(to, plain ? "%c" : "%%%02X", (unsigned char)*text);
	}
}

static int ask(struct directus_read *r)
{
	char target[DIRECTUS_NAME_MAX + sizeof(r->filter) + 3 * KEY_MAX + 128];

	snprintf(target, sizeof(target), "/items/%s?fields=*&sort=id&limit=%u%s", r->collection,
		r->page, r->filter);
	if (r->key) {
		strcat(target, "&filter[id][_gt]=");
		append_encoded(target, r->key);
	}
	return directus_ask(r->client, "GET", target, NULL, on_answer, r);
}

int directus_read_start(struct directus_read *r)
{
	directus_read_fini(r);
	r->rows = 0;
	return ask(r);
}

void directus_read_fini(struct directus_read *r)
{
	free(r->key);
	r->key = NULL;
}
