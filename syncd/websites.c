/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/websites.h"

#include "common/log.h"
#include "syncd/website_compile.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_MS 10
#define RETRY_MS  2000
#define SET_ID	  "main"

static void schedule(struct websites *w, uint64_t delay_ms)
{
	if (!w->closing && !timer_is_active(&w->soon))
		timer_start(&w->soon, delay_ms, 0);
}

static void mark_due(struct websites *w)
{
	w->due = true;
	schedule(w, GATHER_MS);
}

/* ---- publishing ---- */

static cJSON *encode_set(const struct websites *w, uint64_t count)
{
	struct rec_webset r = { .id = (char *)(uintptr_t)SET_ID,
		.blob = (char *)(uintptr_t)w->digest,
		.count = (int64_t)count,
		.local_gen = (int64_t)w->job_gens[0],
		.directus_gen = (int64_t)w->job_gens[1] };

	rec_mark(&r, webset, id);
	rec_mark(&r, webset, blob);
	rec_mark(&r, webset, count);
	rec_mark(&r, webset, local_gen);
	rec_mark(&r, webset, directus_gen);
	return codec_encode(REC_webset, &r);
}

/* What was compiled is with the consumers, or comes again. */
static void end_publishing(struct websites *w, int err)
{
	w->busy = false;
	buf_fini(&w->image);
	if (err) {
		log_error("web set not published error=%s", strerror(-err));
		w->digest[0] = 0;
		w->due = true;
	} else {
		bus_topic_applied(w->bus, TOPIC_websites, BUS_APID, w->job_gens[0]);
		if (w->job_gens[1])
			bus_topic_applied(w->bus, TOPIC_websites, BUS_SYNCD, w->job_gens[1]);
	}
	if (w->due)
		schedule(w, err ? RETRY_MS : GATHER_MS);
}

/* The blob is where consumers find it: now they may hear of it. */
static void on_stored(void *arg, int status)
{
	struct websites *w = arg;
	cJSON *record = w->record;
	const char *id = SET_ID;

	w->record = NULL;
	if (status == -ECANCELED || status) {
		cJSON_Delete(record);
		if (status != -ECANCELED)
			end_publishing(w, status);
		return;
	}
	if (w->published)
		bus_state_set(w->bus, TOPIC_webset, id, record);
	else
		bus_state_replace(w->bus, TOPIC_webset, &id, &record, 1);
	w->published = true;
	end_publishing(w, 0);
}

static void publish(struct websites *w, struct website_compile *job)
{
	int err;

	memcpy(w->digest, job->digest, sizeof(w->digest));
	w->image = job->image;
	buf_init(&job->image, 0);
	log_notice("web set compiled rules=%zu bytes=%zu ms=%lu", job->count, w->image.len,
		(unsigned long)job->ms);
	w->record = encode_set(w, job->count);
	err = w->record ? bus_blob_put(w->bus, w->image.data, w->image.len, w->digest, on_stored, w)
			: -ENOMEM;
	if (!err)
		return;
	cJSON_Delete(w->record);
	w->record = NULL;
	end_publishing(w, err);
}

/* ---- the job ---- */

static void on_compiled(struct website_compile *job)
{
	struct websites *w = job->arg;

	if (w->closing)
		return;
	if (job->err) {
		end_publishing(w, job->err);
		return;
	}
	if (job->refused)
		log_warning(
			"website rules ignored, their patterns match nothing count=%zu first=%s",
			job->refused, job->first_refused);
	if (!strcmp(w->digest, job->digest) && w->published)
		end_publishing(w, 0);
	else
		publish(w, job);
}

static int add_records(const struct websites *w, struct website_compile *job)
{
	const struct hmap *first = &w->records[w->winner], *second = &w->records[!w->winner];
	size_t n = 0;

	job->sites = calloc(first->count + second->count + 1, sizeof(*job->sites));
	if (!job->sites)
		return -ENOMEM;
	hmap_foreach (first, it)
		job->sites[n++] = website_ref(it.value);
	hmap_foreach (second, it) {
		if (!hmap_find(first, it.key, it.len))
			job->sites[n++] = website_ref(it.value);
	}
	job->site_count = n;
	return 0;
}

static void run(struct websites *w)
{
	struct website_compile *job;

	if (w->busy || !w->due || !w->lists_known || !w->gens[0])
		return;
	job = website_compile_new(w->key);
	if (!job || add_records(w, job)) {
		website_compile_free(job);
		schedule(w, RETRY_MS);
		return;
	}
	for (int i = 0; i < LIST_BITS; i++) {
		if (!w->lists[i])
			continue;
		job->lists[i] = list_content_ref(w->lists[i]);
		memcpy(job->list_ids[i], w->list_ids[i], sizeof(job->list_ids[i]));
	}
	memcpy(w->job_gens, w->gens, sizeof(w->job_gens));
	w->due = false;
	w->busy = true;
	job->arg = w;
	website_compile_start(job, w->loop, on_compiled);
}

static void on_soon(struct timer *t)
{
	run(t->data);
}

/* ---- what there is ---- */

int websites_set(
	struct websites *w, enum bus_daemon owner, const char *id, const struct rec_website *rec)
{
	struct hmap *map = &w->records[owner == BUS_SYNCD];
	struct website *site = rec ? website_new(rec) : NULL;

	if (!rec) {
		hmap_remove_str(map, id);
		return 0;
	}
	if (site && !hmap_set_str(map, id, site))
		return 0;
	website_unref(site);
	return -ENOMEM;
}

void websites_set_end(struct websites *w, enum bus_daemon owner, uint64_t gen)
{
	w->gens[owner == BUS_SYNCD] = gen;
	mark_due(w);
}

void websites_set_source(struct websites *w, enum policy_source source)
{
	int winner = source == POLICY_SOURCE_DIRECTUS;

	if (w->winner == winner)
		return;
	w->winner = winner;
	mark_due(w);
}

void websites_set_lists(struct websites *w, struct list_content *const contents[LIST_BITS],
	const char *const ids[LIST_BITS])
{
	bool changed = !w->lists_known;

	for (int i = 0; i < LIST_BITS; i++) {
		if (contents[i] == w->lists[i] && !strcmp(ids[i], w->list_ids[i]))
			continue;
		if (contents[i])
			list_content_ref(contents[i]);
		list_content_unref(w->lists[i]);
		w->lists[i] = contents[i];
		snprintf(w->list_ids[i], sizeof(w->list_ids[i]), "%s", ids[i]);
		changed = true;
	}
	w->lists_known = true;
	if (changed)
		mark_due(w);
}

/* ---- life ---- */

static void free_website(void *value)
{
	website_unref(value);
}

void websites_open(
	struct websites *w, uv_loop_t *loop, struct bus *bus, const uint8_t key[static 16])
{
	*w = (struct websites){ .loop = loop, .bus = bus };
	memcpy(w->key, key, sizeof(w->key));
	for (int i = 0; i < 2; i++)
		hmap_init(&w->records[i], free_website);
	timer_init(loop, &w->soon, on_soon, w);
}

void websites_close(struct websites *w)
{
	w->closing = true;
	timer_close(&w->soon, NULL);
}

void websites_fini(struct websites *w)
{
	for (int i = 0; i < 2; i++)
		hmap_fini(&w->records[i]);
	for (int i = 0; i < LIST_BITS; i++)
		list_content_unref(w->lists[i]);
	cJSON_Delete(w->record);
	buf_fini(&w->image);
}
