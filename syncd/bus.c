/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/syncd.h"

#include "common/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_ID "main"

/* ---- what lists there are ---- */

static void on_source(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct syncd *s = arg;

	(void)topic, (void)owner;
	lists_set(&s->lists, id, rec);
	if (!rec && s->published)
		bus_state_del(s->daemon->bus, TOPIC_lists, id);
}

static void on_sources_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct syncd *s = arg;

	(void)topic, (void)owner;
	s->sources_gen = gen;
	lists_set_end(&s->lists);
}

static const struct bus_topic_ops sources_ops = { on_source, on_sources_end };

/* ---- website rules ---- */

static void on_website(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct syncd *s = arg;

	(void)topic;
	websites_set(&s->websites, owner, id, rec);
}

static void on_websites_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct syncd *s = arg;

	(void)topic;
	websites_set_end(&s->websites, owner, gen);
}

static const struct bus_topic_ops website_ops = { on_website, on_websites_end };

static void on_setting(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct syncd *s = arg;

	(void)topic, (void)owner;
	settings_apply(&s->settings, id, rec);
}

static void on_settings_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct syncd *s = arg;

	websites_set_source(&s->websites, (enum policy_source)s->settings.policy_source);
	bus_topic_applied(s->daemon->bus, topic, owner, gen);
}

static const struct bus_topic_ops setting_ops = { on_setting, on_settings_end };

/* URL prefixes of the lists in force. */
static void take_urls(struct syncd *s)
{
	struct list_content *contents[LIST_BITS];
	const char *ids[LIST_BITS];

	lists_contents(&s->lists, contents, ids);
	websites_set_lists(&s->websites, contents, ids);
}

/* ---- the topic lists ---- */

static void replace_records(struct syncd *s)
{
	size_t n = 0, max = s->lists.sources.count;
	const char **ids = calloc(max + 1, sizeof(*ids));
	cJSON **records = calloc(max + 1, sizeof(*records));

	hmap_foreach (&s->lists.sources, it) {
		if (!ids || !records)
			break;
		ids[n] = ((struct list_source *)it.value)->rec.id;
		records[n] = lists_record(&s->lists, it.value);
		n += records[n] != NULL;
	}
	if (ids && records)
		bus_state_replace(s->daemon->bus, TOPIC_lists, ids, records, n);
	free(ids);
	free(records);
}

static void set_records(struct syncd *s)
{
	hmap_foreach (&s->lists.sources, it) {
		cJSON *record = lists_record(&s->lists, it.value);

		if (record)
			bus_state_set(s->daemon->bus, TOPIC_lists, it.key, record);
	}
}

static void on_records(void *arg)
{
	struct syncd *s = arg;

	/* Before the first image the records would lack the bits that are in force. */
	if (!s->published)
		return;
	set_records(s);
	take_urls(s);
	if (s->sources_gen && lists_is_idle(&s->lists)) {
		bus_topic_applied(s->daemon->bus, TOPIC_list_sources, BUS_APID, s->sources_gen);
		s->sources_gen = 0;
	}
}

/* ---- the domain set ---- */

static cJSON *encode_set(const char *digest, uint64_t count, const char *const ids[LIST_BITS])
{
	struct rec_domainset r = { .id = (char *)(uintptr_t)SET_ID,
		.blob = (char *)(uintptr_t)digest,
		.count = (int64_t)count };
	char *lists[LIST_BITS];

	r.lists.v = lists;
	for (size_t i = 0; i < LIST_BITS; i++) {
		lists[i] = (char *)(uintptr_t)ids[i];
		if (*ids[i])
			r.lists.n = i + 1;
	}
	rec_mark(&r, domainset, id);
	rec_mark(&r, domainset, blob);
	rec_mark(&r, domainset, lists);
	rec_mark(&r, domainset, count);
	return codec_encode(REC_domainset, &r);
}

/* The blob is where consumers find it: now they may hear of it. */
static void on_stored(void *arg, int status)
{
	struct syncd *s = arg;
	cJSON *record = s->domainset;
	const char *id = SET_ID;

	s->domainset = NULL;
	if (status == -ECANCELED) {
		cJSON_Delete(record);
		return;
	}
	if (status) {
		log_error("domain set not published error=%s", strerror(-status));
		cJSON_Delete(record);
		lists_published(&s->lists, status);
		return;
	}
	if (s->published) {
		bus_state_set(s->daemon->bus, TOPIC_domainset, id, record);
	} else {
		bus_state_replace(s->daemon->bus, TOPIC_domainset, &id, &record, 1);
		replace_records(s);
		s->published = true;
	}
	lists_published(&s->lists, 0);
}

static void on_image(
	void *arg, const struct buf *image, uint64_t count, const char *const ids[LIST_BITS])
{
	struct syncd *s = arg;
	char digest[65];
	int err = bus_blob_put(s->daemon->bus, image->data, image->len, digest, on_stored, s);

	if (!err)
		s->domainset = encode_set(digest, count, ids);
	if (err || !s->domainset) {
		log_error("domain set not published error=%s", strerror(err ? -err : ENOMEM));
		if (err)
			lists_published(&s->lists, err);
	}
}

static void on_alarm(void *arg, const char *id, const char *detail)
{
	struct syncd *s = arg;
	cJSON *record = cJSON_CreateObject();
	char text[320];

	snprintf(text, sizeof(text), "%s: %s", id, detail);
	cJSON_AddStringToObject(record, "what", "list");
	cJSON_AddStringToObject(record, "detail", text);
	bus_event_send(s->daemon->bus, EVENT_syncd_alarm, record);
}

const struct lists_ops syncd_lists_ops = { on_image, on_records, on_alarm };

/* ---- requests, status ---- */

static void on_sync_now(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	const struct rec_sync_request *request = args;
	struct syncd *s = arg;
	size_t n = lists_fetch(&s->lists, request->list);
	cJSON *result;

	(void)caller;
	if (request->list && !n) {
		bus_call_fail(call, "not_found", "no such list");
		return;
	}
	result = cJSON_CreateObject();
	cJSON_AddNumberToObject(result, "lists", (double)n);
	bus_call_reply(call, result);
}

static void fill_status(void *arg, cJSON *status)
{
	struct syncd *s = arg;
	cJSON *lists = cJSON_AddObjectToObject(status, "lists");

	hmap_foreach (&s->lists.sources, it) {
		const struct list_source *one = it.value;
		cJSON *row = cJSON_AddObjectToObject(lists, it.key), *skipped;

		if (one->error)
			cJSON_AddStringToObject(row, "error", one->error);
		if (!one->content)
			continue;
		cJSON_AddNumberToObject(row, "lines", (double)one->content->report.lines);
		cJSON_AddNumberToObject(row, "names", (double)one->content->report.names);
		cJSON_AddNumberToObject(row, "exceptions", (double)one->content->report.exceptions);
		cJSON_AddNumberToObject(row, "urls", (double)one->content->report.urls);
		skipped = cJSON_AddObjectToObject(row, "skipped");
		for (unsigned i = 0; i < LIST_SKIPS; i++) {
			if (one->content->report.skipped_by[i])
				cJSON_AddNumberToObject(skipped, list_skip_text((enum list_skip)i),
					(double)one->content->report.skipped_by[i]);
		}
	}
}

int syncd_bus_start(struct syncd *s)
{
	struct bus *b = s->daemon->bus;
	int err;

	bus_set_status_source(b, fill_status, s);
	err = bus_serve(b, REQUEST_syncd_sync_now, on_sync_now, s);
	if (!err)
		err = bus_subscribe(b, TOPIC_list_sources, BUS_APID, &sources_ops, s);
	if (!err)
		err = bus_subscribe(b, TOPIC_settings, BUS_APID, &setting_ops, s);
	if (!err)
		err = bus_subscribe(b, TOPIC_websites, BUS_APID, &website_ops, s);
	if (err)
		log_error("bus not usable error=%s", strerror(-err));
	return err;
}

void syncd_bus_fini(struct syncd *s)
{
	cJSON_Delete(s->domainset);
	s->domainset = NULL;
}
