/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/bus_directus.h"
#include "common/log.h"
#include "syncd/bus_appeals.h"
#include "syncd/directus_brake.h"
#include "syncd/directus_setup.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists ---- */

/* As K has them: on for everyone, a name and all below it. */
static struct rec_list_source list_record(const char *id, char source[static 80])
{
	struct rec_list_source rec = { .id = (char *)(uintptr_t)id,
		.source = source,
		.kind = (char *)(uintptr_t)id,
		.default_on = true,
		.subtree = true };

	snprintf(source, 80, LIST_SOURCE_DIRECTUS "%s", id);
	/* The kind has 32 bytes at most. */
	if (strlen(id) > 32)
		rec.kind = NULL;
	rec_mark(&rec, list_source, id);
	rec_mark(&rec, list_source, source);
	rec_mark(&rec, list_source, default_on);
	rec_mark(&rec, list_source, subtree);
	return rec;
}

static bool is_local(const struct syncd *s, const char *id)
{
	return bus_topic_find(s->daemon->bus, TOPIC_list_sources, BUS_APID, id) != NULL;
}

/* Both may have a list of that id. */
static bool wins(const struct syncd *s, const char *id, bool local)
{
	return s->has_directus && directus_has_list(&s->directus, id) &&
	       (!local || s->settings.policy_source == POLICY_SOURCE_DIRECTUS);
}

static int on_list(void *arg, const char *id, uint8_t *text, size_t len)
{
	struct syncd *s = arg;
	char source[80];
	struct rec_list_source rec = list_record(id, source);

	if (wins(s, id, is_local(s, id)))
		return lists_give(&s->lists, &rec, text, len);
	free(text);
	return 0;
}

static int on_list_gone(void *arg, const char *id)
{
	struct syncd *s = arg;
	const struct list_source *have = lists_find(&s->lists, id);
	cJSON *json = NULL;
	int err = 0;
	struct rec_list_source rec;
	const char *local = bus_topic_find(s->daemon->bus, TOPIC_list_sources, BUS_APID, id);

	if (!have || !list_source_is_directus(have))
		return 0;
	if (local)
		err = json_read(local, strlen(local), &json);
	if (!err && json)
		err = codec_decode(REC_list_source, CODEC_LENIENT, json, &rec, NULL, 0);
	if (!err && json) {
		err = lists_set(&s->lists, id, &rec);
		rec_fini(REC_list_source, &rec);
	} else if (err != -ENOMEM) {
		err = 0;
		lists_set(&s->lists, id, NULL);
		if (s->published)
			bus_state_del(s->daemon->bus, TOPIC_lists, id);
	}
	cJSON_Delete(json);
	return err;
}

int syncd_directus_choose_list(struct syncd *s, const char *id, const struct rec_list_source *rec)
{
	char source[80];
	int err;
	struct rec_list_source directus = list_record(id, source);
	const struct list_source *have = lists_find(&s->lists, id);

	if (!wins(s, id, rec != NULL)) {
		err = lists_set(&s->lists, id, rec);
		if (!rec && s->published)
			bus_state_del(s->daemon->bus, TOPIC_lists, id);
		return err;
	}
	if (have && list_source_is_directus(have))
		return 0;
	err = lists_set(&s->lists, id, &directus);
	if (err)
		return err;
	directus_forget(&s->directus, id);
	directus_sync(&s->directus, false);
	return 0;
}

static int choose(struct syncd *s, const char *id)
{
	const char *local = bus_topic_find(s->daemon->bus, TOPIC_list_sources, BUS_APID, id);
	struct rec_list_source rec;
	cJSON *json;
	int err;

	if (!local)
		return 0;
	err = json_read(local, strlen(local), &json);
	if (!err)
		err = codec_decode(REC_list_source, CODEC_LENIENT, json, &rec, NULL, 0);
	if (!err) {
		err = syncd_directus_choose_list(s, id, &rec);
		rec_fini(REC_list_source, &rec);
	}
	cJSON_Delete(json);
	return err == -ENOMEM ? err : 0;
}

int syncd_directus_choose_all(struct syncd *s)
{
	int err = 0;

	if (s->has_directus)
		through_set_writes(
			&s->through, s->settings.policy_source == POLICY_SOURCE_DIRECTUS);
	for (size_t i = 0; s->has_directus && i < s->directus.count && !err; i++) {
		if (s->directus.units[i]->is_list)
			err = choose(s, s->directus.units[i]->id);
	}
	return err;
}

/* ---- topics ---- */

static void on_records(void *arg, enum bus_topic topic, struct hmap *records, uint64_t begun_at)
{
	struct syncd *s = arg;
	int err;

	if (begun_at)
		through_compare(&s->through, topic, records, begun_at);
	err = directus_publish_set(&s->directus_topics, topic, records);
	if (err)
		log_error("policy of Directus not published topic=%s error=%s",
			bus_topic_name(topic), strerror(-err));
}

static void on_row(void *arg, enum mapping_part part, char id[static 132], cJSON *record)
{
	struct syncd *s = arg;

	through_adopt(&s->through, part, id, record);
}

static void on_alarm(void *arg, const char *what, const char *detail)
{
	syncd_send_alarm(arg, what, detail);
}

static void on_list_new(void *arg, const char *id)
{
	struct syncd *s = arg;

	directus_socket_subscribe(&s->directus_socket, id);
}

static void on_round(void *arg, bool whole)
{
	syncd_appeals_look(arg, whole);
}

/* Who has just confirmed it looks at the status. */
static void on_held(void *arg)
{
	struct syncd *s = arg;

	bus_status_changed(s->daemon->bus);
}

static const struct directus_ops ops = { on_records, on_row, on_list, on_list_new, on_list_gone,
	on_round, on_alarm, on_held };

/* ---- hints ---- */

static void on_hint(void *arg, const char *collection)
{
	struct syncd *s = arg;

	if (collection && *collection && directus_decisions_has(&s->directus_decisions, collection))
		syncd_appeals_look(s, false);
	else
		directus_hint(&s->directus, collection);
}

static void on_changed(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	const struct rec_directus_hint *hint = args;
	struct syncd *s = arg;

	(void)caller;
	on_hint(s, hint->collection);
	bus_call_reply(call, NULL);
}

static void on_push_open(void *arg)
{
	struct syncd *s = arg;

	for (size_t i = 0; i < s->directus.count; i++) {
		const struct directus_unit *u = s->directus.units[i];

		for (unsigned p = 0; p < u->part_count; p++)
			directus_socket_subscribe(&s->directus_socket, u->collections[p]);
	}
	for (int p = PART_VPN_APPEALS; p <= PART_WEBSITE_APPEALS; p++)
		directus_socket_subscribe(
			&s->directus_socket, s->directus.conf.mapping.collections[p]);
}

static const struct directus_socket_ops socket_ops = { on_hint, on_push_open };

/* ---- apid's changes ---- */

struct dropping {
	struct syncd *s;
	enum bus_topic topic;
	char id[132];
};

static void on_drop_reply(void *arg, int status, const cJSON *result)
{
	struct dropping *d = arg;

	(void)result;
	/* Else it is found missing again. */
	if (!status)
		through_dropped(&d->s->through, d->topic, d->id);
	free(d);
}

static void on_gone(void *arg, enum bus_topic topic, const char *id)
{
	struct syncd *s = arg;
	struct dropping *d = calloc(1, sizeof(*d));
	cJSON *args = cJSON_CreateObject();

	if (!d || !args) {
		free(d);
		cJSON_Delete(args);
		return;
	}
	*d = (struct dropping){ .s = s, .topic = topic };
	snprintf(d->id, sizeof(d->id), "%s", id);
	log_notice("row of Directus is gone, apid's record goes too topic=%s id=%s",
		bus_topic_name(topic), id);
	cJSON_AddStringToObject(args, "topic", bus_topic_name(topic));
	cJSON_AddStringToObject(args, "id", id);
	if (bus_request(s->daemon->bus, REQUEST_apid_policy_drop, args, on_drop_reply, d))
		free(d);
}

static void on_removed(void *arg, const char *collection, const char *key)
{
	struct syncd *s = arg;

	directus_brake_removed(&s->directus, collection, key);
}

static const struct through_ops through_ops = { on_hint, on_removed, on_gone, on_alarm };

/* ---- life ---- */

static void add_kept_list(void *arg, const char *id)
{
	struct syncd *s = arg;
	char source[80];
	struct rec_list_source rec = list_record(id, source);

	if (!directus_add_list(&s->directus, id))
		lists_set(&s->lists, id, &rec);
}

int syncd_directus_open(struct syncd *s)
{
	struct directus_conf conf;
	struct directus_access access;
	struct directus_env env;
	int err, through_err;

	if (!*s->conf->directus_url)
		return 0;
	directus_setup_conf(s->conf, &conf);
	err = directus_setup_access(s->conf, &env, &access);
	if (!err)
		err = directus_setup_mapping(s->conf, &conf.mapping, &s->directus_names);
	if (!err && *s->conf->directus_ca)
		err = syncd_make_tls(s->conf->directus_ca, &s->directus_tls);
	if (err) {
		directus_env_fini(&env);
		return err;
	}
	directus_publish_init(&s->directus_topics, s->daemon->bus);
	s->has_directus = true;
	err = directus_open(&s->directus, &conf, s->conf->shared.state_dir, &access,
		&s->daemon->loop, s->resolver, s->directus_tls ? s->directus_tls : s->tls, &ops, s);
	directus_env_fini(&env);
	if (err)
		log_error("Directus cannot be asked error=%s", strerror(-err));
	else
		lists_each_directus(&s->lists, add_kept_list, s);
	directus_socket_open(&s->directus_socket, &s->directus.client, &socket_ops, s);
	syncd_appeals_open(s);
	through_err = through_open(&s->through, s->daemon->bus, &s->directus.client,
		&s->directus.conf.mapping, &s->daemon->loop, s->conf->shared.state_dir,
		&through_ops, s);
	return err ? err : through_err;
}

void syncd_directus_reload(struct syncd *s, const struct syncd_conf *conf)
{
	struct directus_access access;
	struct directus_env env;

	if (!s->has_directus)
		return;
	if (directus_setup_access(conf, &env, &access) ||
		directus_client_set_access(&s->directus.client, &access))
		log_error("the secrets for Directus stay as they were");
	directus_env_fini(&env);
	directus_sync(&s->directus, true);
}

/* ---- no Directus any more ---- */

static void on_own_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	(void)arg, (void)topic, (void)owner, (void)id, (void)rec;
}

/* What an earlier run had from a Directus that is no longer configured is policy no more. */
static void on_own_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct syncd *s = arg;

	(void)owner, (void)gen;
	if (s->forgotten[topic])
		return;
	s->forgotten[topic] = true;
	log_notice("policy of a former Directus removed topic=%s", bus_topic_name(topic));
	bus_state_replace(s->daemon->bus, topic, NULL, NULL, 0);
}

static const struct bus_topic_ops own_ops = { on_own_record, on_own_end };

static int forget_topics(struct syncd *s)
{
	enum bus_topic topic;
	int err = bus_subscribe(s->daemon->bus, TOPIC_device_prefs, BUS_SYNCD, &own_ops, s);

	for (int p = 0; p < PARTS && !err; p++) {
		if (mapping_topic((enum mapping_part)p, &topic))
			err = bus_subscribe(s->daemon->bus, topic, BUS_SYNCD, &own_ops, s);
	}
	return err;
}

int syncd_directus_start(struct syncd *s)
{
	int err;

	if (!s->has_directus)
		return forget_topics(s);
	directus_start(&s->directus);
	if (s->conf->directus_push)
		directus_socket_start(&s->directus_socket);
	err = syncd_appeals_start(s);
	if (!err)
		err = through_start(&s->through);
	return err ? err : bus_serve(s->daemon->bus, REQUEST_syncd_directus_changed, on_changed, s);
}

void syncd_directus_report(const struct syncd *s, cJSON *status)
{
	if (!s->has_directus)
		return;
	directus_report(&s->directus, status);
	if (s->conf->directus_push)
		directus_socket_report(&s->directus_socket, status);
	directus_appeals_report(&s->directus_appeals, status);
	directus_decisions_report(&s->directus_decisions, status);
	through_report(&s->through, status);
}

void syncd_directus_close(struct syncd *s)
{
	if (!s->has_directus)
		return;
	syncd_appeals_close(s);
	through_close(&s->through);
	directus_socket_close(&s->directus_socket);
	directus_close(&s->directus);
}

void syncd_directus_fini(struct syncd *s)
{
	if (s->has_directus) {
		syncd_appeals_fini(s);
		through_fini(&s->through);
		directus_socket_fini(&s->directus_socket);
		directus_fini(&s->directus);
		directus_publish_fini(&s->directus_topics);
	}
	tls_ctx_free(s->directus_tls);
	for (size_t i = 0; s->directus_names && i < s->conf->directus_map.n; i++)
		free(s->directus_names[i]);
	free(s->directus_names);
}
