/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "syncd/list_record.h"
#include "syncd/lists_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void give_bit(struct lists *l, struct list_source *s)
{
	s->bit = list_bits_take(&l->store.bits, s->rec.id);
	if (s->bit >= 0)
		return;
	s->bit = -1;
	log_error("no number free for list, at most %d at a time id=%s", LIST_BITS, s->rec.id);
	l->ops->on_alarm(l->arg, s->rec.id, "more than 64 lists: not in force");
}

static int add(struct lists *l, const struct rec_list_source *rec)
{
	struct list_kept kept;
	struct list_source *s;

	list_kept_decode(json_get(l->store.lists, rec->id), &kept);
	s = list_source_new(&l->env, rec, &kept);
	list_kept_fini(&kept);
	if (!s || hmap_set_str(&l->sources, rec->id, s)) {
		log_error("list not added, out of memory id=%s", rec->id);
		if (s)
			list_source_close(s);
		return -ENOMEM;
	}
	give_bit(l, s);
	log_info("list added id=%s source=%s", rec->id, rec->source);
	list_source_start(s);
	return 0;
}

static void drop(struct lists *l, const char *id)
{
	struct list_source *s = hmap_take_str(&l->sources, id);

	if (!s)
		return;
	log_info("list removed id=%s", id);
	list_bits_release(&l->store.bits, id, clock_wall_ms());
	list_source_close(s);
	l->compile_due = l->save_due = true;
	lists_schedule(l, LISTS_GATHER_MS);
}

int lists_set(struct lists *l, const char *id, const struct rec_list_source *rec)
{
	struct list_source *s = hmap_find_str(&l->sources, id);
	int err = 0;

	if (!rec)
		drop(l, id);
	else if (!s)
		err = add(l, rec);
	else
		err = list_source_set(s, rec);
	if (err && s)
		log_error("list not changed, out of memory id=%s", id);
	return err;
}

int lists_give(struct lists *l, const struct rec_list_source *rec, uint8_t *text, size_t len)
{
	int err = lists_set(l, rec->id, rec);

	if (err) {
		free(text);
		return err;
	}
	list_source_give(lists_find(l, rec->id), text, len);
	lists_schedule(l, LISTS_GATHER_MS);
	return 0;
}

void lists_each_directus(const struct lists *l, void (*on_id)(void *arg, const char *id), void *arg)
{
	const cJSON *it;

	cJSON_ArrayForEach (it, l->store.lists) {
		struct list_kept kept;

		list_kept_decode(it, &kept);
		if (kept.source &&
			!strncmp(kept.source, LIST_SOURCE_DIRECTUS, strlen(LIST_SOURCE_DIRECTUS)))
			on_id(arg, it->string);
		list_kept_fini(&kept);
	}
}

void lists_set_end(struct lists *l)
{
	if (!l->known) {
		/* Also when there are none: an empty set is a set. */
		l->known = l->compile_due = true;
		timer_start(&l->patience, LISTS_PATIENCE_MS, 0);
	}
	l->save_due = true;
	lists_schedule(l, LISTS_GATHER_MS);
}

struct list_source *lists_find(const struct lists *l, const char *id)
{
	return hmap_find_str(&l->sources, id);
}

bool lists_is_idle(const struct lists *l)
{
	return l->known && !l->busy && !l->saving && !l->publishing && !l->compile_due &&
	       !l->save_due;
}

size_t lists_fetch(struct lists *l, const char *id)
{
	struct list_source *one = id ? lists_find(l, id) : NULL;
	size_t n = 0;

	if (id) {
		if (one)
			list_source_fetch(one, true);
		return one && !list_source_is_pinned(one);
	}
	hmap_foreach (&l->sources, it) {
		list_source_fetch(it.value, false);
		n += !list_source_is_pinned(it.value);
	}
	return n;
}

void lists_contents(
	const struct lists *l, struct list_content *contents[LIST_BITS], const char *ids[LIST_BITS])
{
	for (int i = 0; i < LIST_BITS; i++) {
		contents[i] = NULL;
		ids[i] = "";
	}
	hmap_foreach (&l->sources, it) {
		const struct list_source *s = it.value;

		if (s->bit < 0 || !s->content)
			continue;
		contents[s->bit] = s->content;
		ids[s->bit] = s->rec.id;
	}
}

cJSON *lists_record(const struct lists *l, const struct list_source *s)
{
	return list_record_encode(s, s->bit >= 0 && *l->published.ids[s->bit]);
}
