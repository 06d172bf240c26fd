/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/through.h"
#include "common/json.h"
#include "common/log.h"
#include "syncd/through_item.h"
#include "syncd/through_name.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS      1000
#define DOUBLINGS_MAX 5
#define SAVE_MS	      300
#define REFUSED_MS    300000 /* what Directus will not have: an admin has to see to it */
#define FILTER_MAX    12000

static void find_row(struct through *t);

/* ---- the queue ---- */

static const char *through_collection(const struct through *t, enum mapping_part part)
{
	return t->mapping->collections[part];
}

void through_item_free(struct through *t, struct through_item *item)
{
	char name[THROUGH_NAME_LEN];

	through_name_format(name, item->part, item->id);
	hmap_remove_str(&t->dirty, name);
	list_remove(&item->node);
	cJSON_Delete(item->row);
	free(item);
}

/* NULL: it is not to be written, or (-ENOMEM) there is no memory for it. */
static int touch(
	struct through *t, enum mapping_part part, const char *id, struct through_item **out)
{
	struct through_item *item;
	char name[THROUGH_NAME_LEN];

	through_name_format(name, part, id);
	item = *out = hmap_find_str(&t->dirty, name);
	if (item || !*through_collection(t, part) || strlen(id) >= sizeof(item->id))
		return 0;
	item = calloc(1, sizeof(*item));
	if (!item)
		return -ENOMEM;
	list_init(&item->node);
	item->part = part;
	snprintf(item->id, sizeof(item->id), "%s", id);
	if (hmap_set_str(&t->dirty, name, item)) {
		free(item);
		return -ENOMEM;
	}
	list_add(&t->queue, &item->node);
	*out = item;
	return 0;
}

int through_touch(struct through *t, enum mapping_part part, const char *id)
{
	struct through_item *item;
	int err = touch(t, part, id, &item);

	if (item && item == t->active)
		item->is_stale = true;
	return err;
}

int through_touch_adds(struct through *t, enum mapping_part part)
{
	int err = 0;

	hmap_foreach (&t->adds.by_id, it) {
		const struct through_add *add = it.value;

		if (!err && !add->is_linked && (part == PARTS || add->part == part))
			err = through_touch(t, add->part, add->id);
	}
	return err;
}

/* As if it had just been touched. */
static void look_again(struct through *t, struct through_item *item)
{
	cJSON_Delete(item->row);
	item->row = NULL;
	item->hash = 0;
	item->key[0] = 0;
	item->forced = item->was_recalled = item->was_found = item->is_stale = false;
	list_remove(&item->node);
	list_add(&t->queue, &item->node);
}

static void through_finish(struct through *t, const char *key)
{
	struct through_item *item = t->active;
	struct through_link *link;

	link = through_links_set(&t->links, item->part, item->id, key, item->hash);
	if (link)
		through_adds_link(&t->adds, item->part, item->id);
	if (link && *link->key)
		link->round = clock_mono_ms();
	else if (link && !item->hash)
		through_links_remove(&t->links, link);
	t->active = NULL;
	t->failures = 0;
	t->error[0] = 0;
	t->written++;
	through_save_soon(t);
	log_info(
		"written to Directus collection=%s key=%s", through_collection(t, item->part), key);
	if (t->step == THROUGH_REMOVE)
		t->ops->on_removed(t->arg, through_collection(t, item->part), item->key);
	t->ops->on_written(t->arg, through_collection(t, item->part));
	if (item->is_stale)
		look_again(t, item);
	else
		through_item_free(t, item);
	through_next(t);
}

static void note_error(struct through *t, const char *text)
{
	char detail[192];

	snprintf(detail, sizeof(detail), "%.60s: %.120s", through_collection(t, t->active->part),
		text);
	if (!strcmp(t->error, detail))
		return;
	memcpy(t->error, detail, sizeof(detail));
	log_warning("change is not written to Directus yet error=\"%s\"", detail);
	t->ops->on_alarm(t->arg, "directus", detail);
}

static bool through_is_refused(const struct directus_answer *a)
{
	return a->outcome == DIRECTUS_FORBIDDEN || a->outcome == DIRECTUS_REFUSED ||
	       a->outcome == DIRECTUS_BAD_QUERY;
}

static void through_fail(struct through *t, const struct directus_answer *a)
{
	struct through_item *item = t->active;
	uint64_t delay = (uint64_t)RETRY_MS
			 << (t->failures < DOUBLINGS_MAX ? t->failures : DOUBLINGS_MAX);

	note_error(t, a->text);
	t->active = NULL;
	if (through_is_refused(a)) {
		list_remove(&item->node);
		list_add(&t->refused, &item->node);
		if (!timer_is_active(&t->retry))
			timer_start(&t->retry, REFUSED_MS, 0);
		through_next(t);
		return;
	}
	/* What Directus fails at may be this one's own: the others go first from now on. */
	list_remove(&item->node);
	list_add(&t->queue, &item->node);
	t->failures++;
	if (delay < a->retry_s * 1000ull)
		delay = a->retry_s * 1000ull;
	timer_start(&t->retry, delay, 0);
}

static void fail_memory(struct through *t)
{
	const struct directus_answer a = { .outcome = DIRECTUS_FAILED, .text = "out of memory" };

	through_fail(t, &a);
}

/* ---- one row ---- */

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

/* Is it not to be written? Then what is there is known from now on. */
static bool through_is_settled(struct through *t, struct through_item *item)
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

static void through_start_item(struct through *t, struct through_item *item)
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

/* What it refers to comes before it. */
static int queue_needed(struct through *t, struct through_item *item, const char *category)
{
	struct through_item *needed;

	if (touch(t, PART_CATEGORIES, category, &needed) || !needed)
		return -ENOMEM;
	needed->forced = true;
	list_remove(&needed->node);
	list_add_front(&t->queue, &needed->node);
	list_remove(&item->node);
	list_add(&t->queue, &item->node);
	return 0;
}

void through_next(struct through *t)
{
	char needs[132];

	while (!t->active && !t->closing && t->ready && !t->failures && !list_is_empty(&t->queue)) {
		struct through_item *item = container_of(t->queue.next, struct through_item, node);
		int err = through_item_make(t, item, needs);

		if (err == -EAGAIN && t->writes && !queue_needed(t, item, needs))
			continue;
		if (err == -ENOMEM) {
			timer_start(&t->retry, RETRY_MS, 0);
			return;
		}
		if ((err && err != -EAGAIN) || through_is_settled(t, item))
			through_item_free(t, item);
		else
			through_start_item(t, item);
	}
}

static void on_retry(struct timer *timer)
{
	struct through *t = timer->data;

	t->failures = t->failures ? 0 : t->failures;
	list_foreach_safe (&t->refused, it) {
		list_remove(it);
		list_add(&t->queue, it);
	}
	through_next(t);
}

static void on_save(struct timer *timer)
{
	struct through *t = timer->data;

	through_save(t);
}

void through_save_soon(struct through *t)
{
	if (!t->closing && !timer_is_active(&t->save))
		timer_start(&t->save, SAVE_MS, 0);
}

/* The additions' file says no more what the links' says. */
void through_save(struct through *t)
{
	if (!through_links_save(&t->links))
		through_adds_save(&t->adds);
}

void through_set_writes(struct through *t, bool writes)
{
	if (writes && !t->writes && through_touch_adds(t, PARTS))
		log_warning("what is being added to Directus is looked for at the next start");
	t->writes = writes;
	t->ready = true;
	through_next(t);
}

/* ---- life ---- */

int through_open(struct through *t, struct bus *bus, struct directus_client *client,
	const struct mapping *mapping, uv_loop_t *loop, const char *state_dir,
	const struct through_ops *ops, void *arg)
{
	int err;

	*t = (struct through){
		.bus = bus, .client = client, .mapping = mapping, .ops = ops, .arg = arg
	};
	hmap_init(&t->dirty, NULL);
	list_init(&t->queue);
	list_init(&t->refused);
	timer_init(loop, &t->retry, on_retry, t);
	timer_init(loop, &t->save, on_save, t);
	err = through_links_open(&t->links, state_dir);
	return err ? err : through_adds_open(&t->adds, state_dir);
}

void through_report(const struct through *t, cJSON *status)
{
	cJSON *json = cJSON_AddObjectToObject(status, "directus_writes");

	cJSON_AddNumberToObject(json, "waiting", (double)t->dirty.count);
	cJSON_AddNumberToObject(json, "written", (double)t->written);
	if (*t->error)
		cJSON_AddStringToObject(json, "error", t->error);
}

void through_close(struct through *t)
{
	t->closing = true;
	through_save(t);
	timer_close(&t->retry, NULL);
	timer_close(&t->save, NULL);
}

static void free_all(struct through *t, struct list *items)
{
	list_foreach_safe (items, it)
		through_item_free(t, container_of(it, struct through_item, node));
}

void through_fini(struct through *t)
{
	free_all(t, &t->queue);
	free_all(t, &t->refused);
	hmap_fini(&t->dirty);
	through_links_fini(&t->links);
	through_adds_fini(&t->adds);
}
