/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/bus_directus.h"
#include "syncd/bus_lists.h"
#include "syncd/syncd.h"

#include "common/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what lists there are ---- */

static void on_source(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct syncd *s = arg;

	(void)topic, (void)owner;
	if (syncd_directus_choose_list(s, id, rec))
		bus_record_lost(s->daemon->bus);
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
	if (websites_set(&s->websites, owner, id, rec))
		bus_record_lost(s->daemon->bus);
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
	if (settings_apply(&s->settings, id, rec) == -ENOMEM)
		bus_record_lost(s->daemon->bus);
}

static void on_settings_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct syncd *s = arg;

	websites_set_source(&s->websites, (enum policy_source)s->settings.policy_source);
	if (syncd_directus_choose_all(s))
		bus_record_lost(s->daemon->bus);
	else
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

	/* Before the first image the records would lack the bits that are in force. Where none are,
	 * what is wrong with the lists may be told. */
	if (!s->published) {
		if (s->lists.told_empty && !s->has_set)
			replace_records(s);
		return;
	}
	set_records(s);
	take_urls(s);
	if (s->sources_gen && lists_is_idle(&s->lists)) {
		bus_topic_applied(s->daemon->bus, TOPIC_list_sources, BUS_APID, s->sources_gen);
		s->sources_gen = 0;
	}
}

/* ---- the domain set ---- */

/* What an earlier run has published. */
static void on_own_set(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct syncd *s = arg;

	(void)topic, (void)owner, (void)id;
	s->has_set = rec != NULL;
}

static void on_own_set_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct syncd *s = arg;

	bus_topic_applied(s->daemon->bus, topic, owner, gen);
}

static const struct bus_topic_ops own_set_ops = { on_own_set, on_own_set_end };

static void on_published(void *arg, int status)
{
	struct syncd *s = arg;

	if (!status && !s->published) {
		replace_records(s);
		s->published = true;
	}
	lists_published(&s->lists, status);
}

static void on_image(void *arg, const struct buf *image, const struct list_version *version)
{
	struct list_version v = *version;
	struct syncd *s = arg;
	int err = staging_publish(&s->staging, image->data, image->len, &v);

	if (!err)
		return;
	log_error("domain set not published error=%s", strerror(-err));
	lists_published(&s->lists, err);
}

static void on_same(void *arg)
{
	struct syncd *s = arg;

	staging_recheck(&s->staging);
}

static void on_in_force(void *arg, const struct list_version *v)
{
	struct syncd *s = arg;

	lists_in_force(&s->lists, v);
}

void syncd_send_alarm(struct syncd *s, const char *what, const char *detail)
{
	cJSON *record = cJSON_CreateObject();

	cJSON_AddStringToObject(record, "what", what);
	cJSON_AddStringToObject(record, "detail", detail);
	bus_event_send(s->daemon->bus, EVENT_syncd_alarm, record);
}

static void on_refused(void *arg, const char *why)
{
	struct syncd *s = arg;

	syncd_send_alarm(s, "domainset", why);
	lists_refused(&s->lists, &s->staging.good);
}

static void on_stuck(void *arg, const char *why)
{
	syncd_send_alarm(arg, "domainset", why);
}

static void on_rival(void *arg, const char *detail)
{
	syncd_send_alarm(arg, "syncd", detail);
}

static bool is_settled(void *arg)
{
	const struct syncd *s = arg;

	/* Without website rules there is no web set to wait for. */
	return !s->websites.gens[0] || (!s->websites.busy && !s->websites.due);
}

static const struct staging_ops staging_ops = { on_in_force, on_refused, on_stuck, is_settled,
	on_published };

static void on_alarm(void *arg, const char *what, const char *detail)
{
	char text[448];

	snprintf(text, sizeof(text), "%s: %s", what, detail);
	syncd_send_alarm(arg, "list", text);
}

const struct lists_ops syncd_lists_ops = { on_image, on_same, on_records, on_alarm };

/* ---- status ---- */

static void add_skipped(cJSON *row, const struct list_report *report)
{
	cJSON *skipped = cJSON_AddObjectToObject(row, "skipped"), *one;

	for (unsigned i = 0; i < LIST_SKIPS; i++) {
		if (!report->skipped_by[i])
			continue;
		one = cJSON_AddObjectToObject(skipped, list_skip_text((enum list_skip)i));
		cJSON_AddNumberToObject(one, "count", (double)report->skipped_by[i]);
		cJSON_AddNumberToObject(one, "first_line", (double)report->first_line[i]);
	}
}

static void fill_status(void *arg, cJSON *status)
{
	struct syncd *s = arg;
	cJSON *lists = cJSON_AddObjectToObject(status, "lists");

	rival_report(&s->rival, status);
	staging_report(&s->staging, status);
	syncd_directus_report(s, status);
	if (s->lists.save_err)
		cJSON_AddStringToObject(status, "state_error", strerror(-s->lists.save_err));
	hmap_foreach (&s->lists.sources, it) {
		const struct list_source *one = it.value;
		const struct list_report *r = one->content ? &one->content->report : NULL;
		cJSON *row = cJSON_AddObjectToObject(lists, it.key);

		if (one->error)
			cJSON_AddStringToObject(row, "error", one->error);
		if (!r)
			continue;
		cJSON_AddNumberToObject(row, "lines", (double)r->lines);
		cJSON_AddNumberToObject(row, "names", (double)r->names);
		cJSON_AddNumberToObject(row, "repeated", (double)one->content->repeated);
		cJSON_AddNumberToObject(row, "exceptions", (double)r->exceptions);
		cJSON_AddNumberToObject(row, "urls", (double)r->urls);
		add_skipped(row, r);
	}
}

int syncd_bus_start(struct syncd *s)
{
	struct bus *b = s->daemon->bus;
	int err;

	err = rival_watch(&s->rival, b, on_rival, s);
	bus_set_status_source(b, fill_status, s);
	if (!err)
		err = staging_open(&s->staging, &s->daemon->loop, b, &s->lists.store.good,
			(uint64_t)s->conf->ack_s * 1000, &staging_ops, s);
	if (!err)
		err = syncd_lists_serve(s);
	if (!err)
		err = bus_subscribe(b, TOPIC_domainset, BUS_SYNCD, &own_set_ops, s);
	if (!err)
		err = bus_subscribe(b, TOPIC_list_sources, BUS_APID, &sources_ops, s);
	if (!err)
		err = bus_subscribe(b, TOPIC_settings, BUS_APID, &setting_ops, s);
	if (!err)
		err = bus_subscribe(b, TOPIC_websites, BUS_APID, &website_ops, s);
	if (!err && s->has_directus)
		err = bus_subscribe(b, TOPIC_websites, BUS_SYNCD, &website_ops, s);
	if (err)
		log_error("bus not usable error=%s", strerror(-err));
	return err;
}
