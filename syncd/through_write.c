/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/json.h"
#include "syncd/through_item.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILTER_MAX 12000

static void find_row(struct through *t);

static void fail_memory(struct through *t)
{
	const struct directus_answer a = { .outcome = DIRECTUS_FAILED, .text = "out of memory" };

	through_fail(t, &a);
}

static bool take_key(const cJSON *row, char key[static 256])
{
	const cJSON *id = json_get(row, "id");
	int64_t n;

	if (json_get_int(id, &n))
		snprintf(key, 256, "%lld", (long long)n);
	else if (cJSON_IsString(id) && directus_is_name(id->valuestring))
		snprintf(key, 256, "%s", id->valuestring);
	else
		return false;
	return true;
}

/* Forbidden is said of a row that is gone, too: is it? */
static void on_removed_found(void *arg, struct directus_answer *a)
{
	const struct directus_answer refused = { .outcome = DIRECTUS_FORBIDDEN,
		.text = "FORBIDDEN: a row may not be removed" };
	struct through *t = arg;

	if (a->outcome != DIRECTUS_OK && a->outcome != DIRECTUS_FORBIDDEN)
		through_fail(t, a);
	else if (a->outcome == DIRECTUS_FORBIDDEN ||
		 cJSON_GetArraySize(directus_answer_data(a)) > 0)
		through_fail(t, &refused);
	else
		through_finish(t, "");
}

static void find_removed(struct through *t)
{
	const struct through_item *item = t->active;
	char target[DIRECTUS_NAME_MAX + sizeof(item->key) + 64];

	snprintf(target, sizeof(target), "/items/%s?fields=id&limit=1&filter[id][_eq]=%s",
		through_collection(t, item->part), item->key);
	if (directus_ask(t->client, "GET", target, NULL, on_removed_found, t))
		fail_memory(t);
}

static void on_changed(void *arg, struct directus_answer *a)
{
	struct through *t = arg;
	struct through_item *item = t->active;

	if (a->outcome == DIRECTUS_OK && t->step == THROUGH_REMOVE) {
		through_finish(t, "");
	} else if (a->outcome == DIRECTUS_OK && t->step == THROUGH_ADD) {
		/* Who may not read it is told nothing: then it is looked for, once. */
		if (take_key(directus_answer_data(a), item->key) || item->was_found)
			through_finish(t, item->key);
		else
			find_row(t);
	} else if (a->outcome == DIRECTUS_OK) {
		through_finish(t, item->key);
	} else if (a->outcome == DIRECTUS_FORBIDDEN && t->step == THROUGH_REMOVE) {
		find_removed(t);
	} else {
		if (t->step == THROUGH_ADD && through_is_refused(a))
			through_adds_remove(&t->adds, item->part, item->id);
		through_fail(t, a);
	}
}

/* What could not be found again is not added. */
static bool note_add(struct through *t)
{
	struct directus_answer a = { .outcome = DIRECTUS_FAILED };
	const struct through_item *item = t->active;
	int err = through_adds_note(
		&t->adds, item->part, item->id, through_collection(t, item->part), item->row);

	if (!err)
		return true;
	snprintf(a.text, sizeof(a.text), "cannot be noted before it is added: %s", strerror(-err));
	through_fail(t, &a);
	return false;
}

static void send_row(struct through *t, enum through_step step)
{
	static const char *const methods[] = {
		[THROUGH_CHANGE] = "PATCH", [THROUGH_ADD] = "POST", [THROUGH_REMOVE] = "DELETE"
	};
	struct through_item *item = t->active;
	char target[DIRECTUS_NAME_MAX + sizeof(item->key) + 16];
	char *body;

	t->step = step;
	if (step == THROUGH_ADD && !note_add(t))
		return;
	body = step == THROUGH_REMOVE ? NULL : json_format(item->row);
	snprintf(target, sizeof(target), "/items/%s%s%s", through_collection(t, item->part),
		step == THROUGH_ADD ? "" : "/", step == THROUGH_ADD ? "" : item->key);
	if ((!body && step != THROUGH_REMOVE) ||
		directus_ask(t->client, methods[step], target, body, on_changed, t))
		fail_memory(t);
	free(body);
}

/* A change with a column that is not there is refused as a whole, by Directus, though an addition
 * is not. */
static void keep_columns(cJSON *row, const cJSON *there)
{
	for (cJSON *it = row->child, *after; it; it = after) {
		after = it->next;
		if (!json_get(there, it->string))
			cJSON_Delete(cJSON_DetachItemViaPointer(row, it));
	}
}

/* Another record's row by now. */
static bool is_others(const struct through *t, const struct through_item *item, const char *key)
{
	const struct through_link *link = through_links_find_key(&t->links, item->part, key);

	return link && strcmp(link->id, item->id) != 0;
}

/* The row that was being added: it is ours, whatever has become of the record since. */
static void on_recalled(void *arg, struct directus_answer *a)
{
	struct through *t = arg;
	struct through_item *item = t->active;
	const cJSON *row = cJSON_GetArrayItem(directus_answer_data(a), 0);

	if (a->outcome != DIRECTUS_OK) {
		through_fail(t, a);
	} else if (row && take_key(row, item->key) && !is_others(t, item, item->key)) {
		if (item->row)
			keep_columns(item->row, row);
		send_row(t, item->row ? THROUGH_CHANGE : THROUGH_REMOVE);
	} else {
		item->key[0] = 0;
		through_adds_remove(&t->adds, item->part, item->id);
		through_save_soon(t);
		if (item->row)
			find_row(t);
		else
			through_finish(t, "");
	}
}

static void on_found(void *arg, struct directus_answer *a)
{
	struct through *t = arg;
	struct through_item *item = t->active;
	const cJSON *rows = directus_answer_data(a);

	const cJSON *row = cJSON_GetArrayItem(rows, 0);

	if (a->outcome != DIRECTUS_OK) {
		through_fail(t, a);
	} else if (row && take_key(row, item->key) && t->step != THROUGH_ADD) {
		keep_columns(item->row, row);
		send_row(t, THROUGH_CHANGE);
	} else if (*item->key && !item->was_found) {
		/* The one that we knew is gone. */
		item->key[0] = 0;
		find_row(t);
	} else if (t->step == THROUGH_ADD || !item->hash) {
		through_finish(t, item->key);
	} else {
		send_row(t, THROUGH_ADD);
	}
}

/* False: there is none, or the names of columns are others by now. */
static bool format_recall(const struct through *t, const struct through_item *item, struct buf *to)
{
	const cJSON *row = item->was_recalled ? NULL
					      : through_adds_find(&t->adds, item->part, item->id,
							through_collection(t, item->part));
	size_t len = to->len;
	int err = row ? mapping_format_filter(t->mapping, item->part, row, to) : -ENOENT;

	if (err)
		to->len = len;
	return !err;
}

/* By its key, else by what it was to say when it was being added, else by what it says: somebody
 * may have made that row already, we, before we could note its key, or an admin. */
static void find_row(struct through *t)
{
	struct through_item *item = t->active;
	directus_on_answer on_answer = on_found;
	struct buf target;

	buf_init(&target, FILTER_MAX);
	buf_printf(
		&target, "/items/%s?fields=*&sort=id&limit=1", through_collection(t, item->part));
	if (t->step != THROUGH_ADD)
		t->step = THROUGH_FIND;
	if (*item->key) {
		buf_printf(&target, "&filter[id][_eq]=%s", item->key);
	} else if (t->step == THROUGH_FIND && format_recall(t, item, &target)) {
		item->was_recalled = true;
		on_answer = on_recalled;
	} else {
		item->was_found = true;
		mapping_format_filter(t->mapping, item->part, item->row, &target);
	}
	if (target.failed ||
		directus_ask(t->client, "GET", (const char *)target.data, NULL, on_answer, t))
		fail_memory(t);
	buf_fini(&target);
}

static bool may_be_there(const struct through *t, const struct through_item *item)
{
	return through_adds_find(&t->adds, item->part, item->id, through_collection(t, item->part));
}

bool through_is_settled(struct through *t, struct through_item *item)
{
	const struct through_link *link = through_links_find(&t->links, item->part, item->id);
	bool is_written = item->part == PART_SWITCHES || t->writes;

	if (!link && !item->hash)
		return !is_written || !may_be_there(t, item);
	if (item->forced && item->hash && !(link && *link->key))
		return false;
	if (link && link->hash == item->hash) {
		if (*link->key)
			through_adds_link(&t->adds, item->part, item->id);
		return true;
	}
	if (is_written)
		return false;
	through_links_set(&t->links, item->part, item->id, NULL, item->hash);
	through_save_soon(t);
	return true;
}

void through_start_item(struct through *t, struct through_item *item)
{
	const struct through_link *link = through_links_find(&t->links, item->part, item->id);

	t->active = item;
	t->step = THROUGH_FIND;
	item->was_recalled = item->was_found = item->is_stale = false;
	snprintf(item->key, sizeof(item->key), "%s", link ? link->key : "");
	if (!item->row && !*item->key && !may_be_there(t, item))
		through_finish(t, "");
	else if (!item->row && *item->key)
		send_row(t, THROUGH_REMOVE);
	else
		find_row(t);
}
