/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus.h"
#include "common/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS      1000
#define SOON_MS	      10
#define DOUBLINGS_MAX 10

static void next_unit(struct directus *d);
static void ask_stamp(struct directus *d);

static struct directus_unit *current(const struct directus *d)
{
	return d->units[d->at];
}

/* ---- the units ---- */

static struct directus_unit *find_unit(const struct directus *d, const char *id)
{
	for (size_t i = 0; i < d->count; i++) {
		if (!strcmp(d->units[i]->id, id))
			return d->units[i];
	}
	return NULL;
}

static struct directus_unit *add_unit(struct directus *d, const char *id)
{
	struct directus_unit **more = realloc(d->units, (d->count + 1) * sizeof(*more)), *u;

	if (!more)
		return NULL;
	d->units = more;
	u = directus_unit_new(id);
	if (u)
		d->units[d->count++] = u;
	return u;
}

static void set_part(struct directus *d, struct directus_unit *u, enum mapping_part part)
{
	u->parts[u->part_count] = part;
	snprintf(u->collections[u->part_count], sizeof(*u->collections), "%s",
		d->conf.mapping.collections[part]);
	u->part_count++;
}

static int add_topics(struct directus *d)
{
	struct directus_unit *u = add_unit(d, "device_prefs");

	if (!u)
		return -ENOMEM;
	u->topic = TOPIC_device_prefs;
	set_part(d, u, PART_LIST_PREFS);
	set_part(d, u, PART_SWITCHES);
	for (int p = 0; p < PARTS; p++) {
		enum bus_topic topic;

		if (!mapping_topic((enum mapping_part)p, &topic))
			continue;
		u = add_unit(d, mapping_part_name((enum mapping_part)p));
		if (!u)
			return -ENOMEM;
		u->topic = topic;
		set_part(d, u, (enum mapping_part)p);
	}
	return 0;
}

static int add_lists(struct directus *d)
{
	static const enum mapping_part lists[] = { PART_MAPS, PART_GIFS, PART_GENERAL,
		PART_APP_URLS };

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		struct directus_unit *u;

		if (!*d->conf.mapping.collections[lists[i]])
			continue;
		u = add_unit(d, mapping_part_name(lists[i]));
		if (!u)
			return -ENOMEM;
		u->is_list = true;
		set_part(d, u, lists[i]);
	}
	return 0;
}

int directus_add_list(struct directus *d, const char *id)
{
	struct directus_unit *u = find_unit(d, id);

	if (u)
		return 0;
	u = add_unit(d, id);
	if (!u)
		return -ENOMEM;
	u->is_list = true;
	u->parts[0] = PART_APPS;
	u->part_count = 1;
	snprintf(u->collections[0], sizeof(u->collections[0]), "%s", id);
	return 0;
}

bool directus_has_list(const struct directus *d, const char *id)
{
	const struct directus_unit *u = find_unit(d, id);

	return u && u->is_list;
}

void directus_forget(struct directus *d, const char *id)
{
	struct directus_unit *u = find_unit(d, id);

	if (u)
		u->known = false;
}

/* ---- the end of a round ---- */

static void start_round(struct directus *d);

static void publish_empty(struct directus *d)
{
	struct hmap none;

	hmap_init(&none, NULL);
	for (size_t i = 0; i < d->count && !d->told_empty; i++) {
		const struct directus_unit *u = d->units[i];

		if (!u->is_list && u->part_count == 1 && !*u->collections[0])
			d->ops->on_records(d->arg, u->topic, &none);
	}
	d->told_empty = true;
	hmap_fini(&none);
}

static void end_round(struct directus *d)
{
	d->busy = false;
	d->rounds++;
	d->failures = 0;
	d->good_at = clock_wall_ms();
	if (d->round_full)
		d->full_at = clock_mono_ms();
	if (*d->error)
		log_notice("Directus can be read again");
	d->error[0] = 0;
	publish_empty(d);
	timer_start(&d->timer, d->again ? SOON_MS : (uint64_t)d->conf.poll_s * 1000, 0);
}

/* Nothing more to be had this time. */
static void abort_round(struct directus *d, const struct directus_answer *a)
{
	unsigned doublings = d->failures < DOUBLINGS_MAX ? d->failures : DOUBLINGS_MAX;
	uint64_t delay = (uint64_t)RETRY_MS << doublings;

	if (delay > (uint64_t)d->conf.poll_s * 1000)
		delay = (uint64_t)d->conf.poll_s * 1000;
	if (delay < (uint64_t)a->retry_s * 1000)
		delay = (uint64_t)a->retry_s * 1000;
	d->busy = false;
	d->failures++;
	d->full |= d->round_full;
	if (strcmp(d->error, a->text) != 0) {
		snprintf(d->error, sizeof(d->error), "%s", a->text);
		log_warning("Directus cannot be read, the last good state stays error=\"%s\"",
			d->error);
		d->ops->on_alarm(d->arg, "directus", d->error);
	}
	timer_start(&d->timer, delay, 0);
}

static void abort_memory(struct directus *d)
{
	struct directus_answer a = { .text = "out of memory" };

	abort_round(d, &a);
}

/* One unit's collection is not to be had: the others are. */
static void skip_unit(struct directus *d, const char *why)
{
	struct directus_unit *u = current(d);
	char text[192];

	snprintf(text, sizeof(text), "%s: %.120s", u->collections[d->part], why);
	if (strcmp(text, u->error) != 0) {
		memcpy(u->error, text, sizeof(text));
		log_warning("collection of Directus cannot be read, its last good state stays "
			    "error=\"%s\"",
			text);
		d->ops->on_alarm(d->arg, "directus", text);
	}
	directus_unit_reset(u, d->conf.text_max);
	d->at++;
	next_unit(d);
}

/* ---- reading a unit ---- */

static void read_part(struct directus *d);

static int on_row(void *arg, const cJSON *row)
{
	struct directus *d = arg;

	return directus_unit_add(current(d), &d->conf.mapping, d->part, row);
}

static void publish(struct directus *d)
{
	struct directus_unit *u = current(d);
	size_t len;
	uint8_t *text;

	if (u->is_list) {
		text = buf_release(&u->text, &len);
		d->ops->on_list(d->arg, u->id, text, len);
	} else {
		d->ops->on_records(d->arg, u->topic, &u->records);
	}
	if (!u->known || *u->error)
		log_info("collection of Directus read id=%s rows=%lu left_out=%lu", u->id, u->rows,
			u->next_skipped);
	u->known = true;
	u->error[0] = 0;
	u->skipped = u->next_skipped;
	u->read_at = clock_wall_ms();
	memcpy(u->stamps, u->next_stamps, sizeof(u->stamps));
	hmap_clear(&u->records);
	d->at++;
	next_unit(d);
}

static void on_read(void *arg, const struct directus_answer *a)
{
	struct directus *d = arg;

	if (a->outcome == DIRECTUS_OK) {
		d->part++;
		read_part(d);
	} else if (a->outcome == DIRECTUS_FORBIDDEN || a->outcome == DIRECTUS_REFUSED) {
		skip_unit(d, a->text);
	} else {
		directus_unit_reset(current(d), d->conf.text_max);
		abort_round(d, a);
	}
}

static void read_part(struct directus *d)
{
	struct directus_unit *u = current(d);

	while (d->part < u->part_count && !*u->collections[d->part])
		d->part++;
	if (d->part == u->part_count) {
		publish(d);
		return;
	}
	d->read = (struct directus_read){ .client = &d->client,
		.page = d->conf.page,
		.on_row = on_row,
		.on_end = on_read,
		.arg = d };
	memcpy(d->read.collection, u->collections[d->part], sizeof(d->read.collection));
	if (directus_read_start(&d->read))
		abort_memory(d);
}

/* ---- has it changed? ---- */

static void on_stamp(void *arg, struct directus_answer *a)
{
	struct directus *d = arg;
	struct directus_unit *u = current(d);

	/* Without date_updated, or the right to it, there is no stamp: it is read every time. */
	if (a->outcome != DIRECTUS_OK && a->outcome != DIRECTUS_FORBIDDEN &&
		a->outcome != DIRECTUS_BAD_QUERY && a->outcome != DIRECTUS_REFUSED) {
		abort_round(d, a);
		return;
	}
	directus_unit_take_stamp(u, d->part, directus_answer_data(a));
	d->part++;
	ask_stamp(d);
}

static void ask_stamp(struct directus *d)
{
	struct directus_unit *u = current(d);
	char target[DIRECTUS_NAME_MAX + 96];

	while (d->part < u->part_count && !*u->collections[d->part])
		d->part++;
	if (d->part < u->part_count) {
		snprintf(target, sizeof(target),
			"/items/%s?aggregate[count]=*&aggregate[max]=id,date_updated,date_created",
			u->collections[d->part]);
		if (directus_ask(&d->client, "GET", target, NULL, on_stamp, d))
			abort_memory(d);
		return;
	}
	d->part = 0;
	if (!d->round_full && !directus_unit_is_changed(u)) {
		d->at++;
		next_unit(d);
		return;
	}
	directus_unit_reset(u, d->conf.text_max);
	read_part(d);
}

static void next_unit(struct directus *d)
{
	while (d->at < d->count && current(d)->part_count == 1 && !*current(d)->collections[0])
		d->at++;
	if (d->at == d->count) {
		end_round(d);
		return;
	}
	d->part = 0;
	ask_stamp(d);
}

/* ---- which collections there are in the group ---- */

static void take_collection(struct directus *d, const cJSON *one)
{
	const char *name = cJSON_GetStringValue(json_get(one, "collection"));
	const char *group = cJSON_GetStringValue(json_get(json_get(one, "meta"), "group"));
	struct directus_unit *u;

	/* A folder has no table of its own. */
	if (!name || !group || strcmp(group, d->conf.mapping.collections[PART_APPS]) ||
		!cJSON_IsObject(json_get(one, "schema")))
		return;
	if (!directus_is_name(name) || strlen(name) > 64) {
		log_warning("collection of Directus has no name for a list name=%.64s", name);
		return;
	}
	u = find_unit(d, name);
	if (u && u->parts[0] != PART_APPS) {
		log_warning(
			"collection of Directus is called as a list that is there name=%s", name);
		return;
	}
	if (!u && directus_add_list(d, name))
		return;
	find_unit(d, name)->seen = true;
}

static void drop_unseen(struct directus *d)
{
	for (size_t i = d->count; i--;) {
		struct directus_unit *u = d->units[i];

		if (u->parts[0] != PART_APPS || u->seen)
			continue;
		memmove(d->units + i, d->units + i + 1, (--d->count - i) * sizeof(*d->units));
		log_notice("list of Directus is gone id=%s", u->id);
		d->ops->on_list_gone(d->arg, u->id);
		directus_unit_free(u);
	}
}

static void on_collections(void *arg, struct directus_answer *a)
{
	struct directus *d = arg;
	const cJSON *data = directus_answer_data(a), *one;

	if (a->outcome != DIRECTUS_OK && a->outcome != DIRECTUS_FORBIDDEN) {
		abort_round(d, a);
		return;
	}
	/* Who sees no collection at all has lost the right to, and knows nothing of the group. */
	if (cJSON_GetArraySize(data) > 0) {
		for (size_t i = 0; i < d->count; i++)
			d->units[i]->seen = false;
		cJSON_ArrayForEach (one, data)
			take_collection(d, one);
		drop_unseen(d);
	}
	d->at = 0;
	next_unit(d);
}

/* ---- rounds ---- */

static void start_round(struct directus *d)
{
	uint64_t now = clock_mono_ms();

	d->busy = true;
	d->round_full = d->full || !d->full_at || now - d->full_at >= d->conf.full_s * 1000ull;
	d->again = d->full = false;
	d->at = 0;
	if (!*d->conf.mapping.collections[PART_APPS])
		next_unit(d);
	else if (directus_ask(&d->client, "GET", "/collections", NULL, on_collections, d))
		abort_memory(d);
}

static void on_timer(struct timer *t)
{
	start_round(t->data);
}

void directus_sync(struct directus *d, bool full)
{
	d->full |= full;
	d->again = true;
	if (!d->busy && !d->closing)
		timer_start(&d->timer, 0, 0);
}

/* The unit of the collection comes to the front: the order of units means nothing. */
static void move_to_front(struct directus *d, const char *collection)
{
	for (size_t i = 0; i < d->count; i++) {
		struct directus_unit *u = d->units[i];

		for (unsigned p = 0; p < u->part_count; p++) {
			if (strcmp(u->collections[p], collection) != 0)
				continue;
			memmove(d->units + 1, d->units, i * sizeof(*d->units));
			d->units[0] = u;
			return;
		}
	}
}

void directus_hint(struct directus *d, const char *collection)
{
	/* In a round the places are in use; another one follows it. */
	if (collection && !d->busy)
		move_to_front(d, collection);
	directus_sync(d, false);
}

void directus_start(struct directus *d)
{
	timer_start(&d->timer, 0, 0);
}

/* ---- status ---- */

void directus_report(const struct directus *d, cJSON *status)
{
	cJSON *json = cJSON_AddObjectToObject(status, "directus"), *units, *row;

	if (*d->error)
		cJSON_AddStringToObject(json, "error", d->error);
	if (d->good_at)
		cJSON_AddNumberToObject(json, "good_at", (double)d->good_at);
	cJSON_AddNumberToObject(json, "rounds", (double)d->rounds);
	units = cJSON_AddObjectToObject(json, "collections");
	for (size_t i = 0; i < d->count; i++) {
		const struct directus_unit *u = d->units[i];

		row = cJSON_AddObjectToObject(units, u->id);
		cJSON_AddNumberToObject(row, "rows", (double)u->rows);
		if (u->skipped)
			cJSON_AddNumberToObject(row, "skipped", (double)u->skipped);
		if (u->read_at)
			cJSON_AddNumberToObject(row, "read_at", (double)u->read_at);
		if (*u->error)
			cJSON_AddStringToObject(row, "error", u->error);
	}
}

/* ---- life ---- */

int directus_open(struct directus *d, const struct directus_conf *conf,
	const struct directus_access *access, uv_loop_t *loop, struct resolver *resolver,
	struct tls_ctx *tls, const struct directus_ops *ops, void *arg)
{
	int err;

	*d = (struct directus){ .conf = *conf, .ops = ops, .arg = arg };
	timer_init(loop, &d->timer, on_timer, d);
	err = directus_client_open(&d->client, access, loop, resolver, tls);
	if (!err)
		err = add_topics(d);
	return err ? err : add_lists(d);
}

void directus_close(struct directus *d)
{
	d->closing = true;
	directus_client_close(&d->client);
	timer_close(&d->timer, NULL);
}

void directus_fini(struct directus *d)
{
	directus_client_fini(&d->client);
	directus_read_fini(&d->read);
	for (size_t i = 0; i < d->count; i++)
		directus_unit_free(d->units[i]);
	free(d->units);
	d->units = NULL;
	d->count = 0;
}
