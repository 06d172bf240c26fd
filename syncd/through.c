/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/through.h"
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

/* ---- the queue ---- */

const char *through_collection(const struct through *t, enum mapping_part part)
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

void through_finish(struct through *t, const char *key)
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

bool through_is_refused(const struct directus_answer *a)
{
	return a->outcome == DIRECTUS_FORBIDDEN || a->outcome == DIRECTUS_REFUSED ||
	       a->outcome == DIRECTUS_BAD_QUERY;
}

void through_fail(struct through *t, const struct directus_answer *a)
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
