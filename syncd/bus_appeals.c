/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/bus_appeals.h"
#include "common/log.h"
#include "syncd/syncd.h"
#include <errno.h>
#include <string.h>

/* ---- on their way ---- */

static void write_answer(struct syncd *s, const char *uuid);

/* apid sends what it holds and was not told of once more (S5): an event may be lost. */
static void on_stored(void *arg, const char *entry, const char *uuid)
{
	struct syncd *s = arg;
	cJSON *record = cJSON_CreateObject();

	bus_queue_ack(s->daemon->bus, QUEUE_appeals, entry);
	cJSON_AddStringToObject(record, "uuid", uuid);
	bus_event_send(s->daemon->bus, EVENT_syncd_appeal_stored, record);
	write_answer(s, uuid);
}

static void on_appeal(void *arg, const char *entry, const cJSON *record)
{
	struct syncd *s = arg;
	int err = directus_appeals_add(&s->directus_appeals, entry, record);

	if (!err)
		return;
	log_error("appeal cannot be taken entry=%s error=%s", entry, strerror(-err));
	/* What is no appeal never becomes one. */
	if (err == -EINVAL)
		bus_queue_ack(s->daemon->bus, QUEUE_appeals, entry);
}

static void on_alarm(void *arg, const char *what, const char *detail)
{
	syncd_send_alarm(arg, what, detail);
}

static const struct directus_appeals_ops appeals_ops = { on_stored, on_alarm };

/* ---- what becomes of them ---- */

static int error_of(int status, const cJSON *result)
{
	const char *code = cJSON_GetStringValue(json_get(result, "code"));

	if (status != -EREMOTEIO || !code)
		return status;
	return !strcmp(code, "not_found") ? -ENOENT : !strcmp(code, "invalid") ? -EINVAL : -EAGAIN;
}

static void on_reply(void *arg, int status, const cJSON *result)
{
	const char *text = cJSON_GetStringValue(json_get(result, "status"));
	int in_force = 0, err = error_of(status, result);
	struct syncd *s = arg;

	if (!err && (!text || enum_parse(ENUM_ID_review_status, text, &in_force)))
		err = -EPROTO;
	directus_decisions_told(&s->directus_decisions, err, (enum review_status)in_force);
}

static void on_decision(void *arg, const struct mapping_decision *what)
{
	struct syncd *s = arg;
	cJSON *args = cJSON_CreateObject();
	int err;

	log_info("appeal decided in Directus uuid=%s status=%s", what->uuid,
		enum_text(ENUM_ID_review_status, (int)what->status));
	cJSON_AddStringToObject(args, "uuid", what->uuid);
	cJSON_AddStringToObject(
		args, "status", enum_text(ENUM_ID_review_status, (int)what->status));
	if (*what->category)
		cJSON_AddStringToObject(args, "category_id", what->category);
	err = bus_request(s->daemon->bus, REQUEST_apid_appeal_status, args, on_reply, s);
	if (err)
		directus_decisions_told(&s->directus_decisions, err, what->status);
}

static const struct directus_decisions_ops decisions_ops = { on_decision, on_alarm };

static int write_decision(struct syncd *s, const struct rec_appeal_answer *answer)
{
	if (!rec_has(answer, appeal_answer, status) || answer->status == REVIEW_STATUS_PENDING)
		return 0;
	return directus_decisions_write(
		&s->directus_decisions, answer->uuid, (enum review_status)answer->status);
}

static void on_answer(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct syncd *s = arg;

	(void)topic, (void)owner, (void)id;
	if (rec && write_decision(s, rec))
		bus_record_lost(s->daemon->bus);
}

static const struct bus_topic_ops answer_ops = { .on_record = on_answer };

/* One that was decided before Directus had it. */
static void write_answer(struct syncd *s, const char *uuid)
{
	const char *text = bus_topic_find(s->daemon->bus, TOPIC_appeal_answers, BUS_APID, uuid);
	cJSON *json = text ? json_parse(text, strlen(text)) : NULL;
	struct rec_appeal_answer rec;

	if (json && !codec_decode(REC_appeal_answer, CODEC_LENIENT, json, &rec, NULL, 0)) {
		if (write_decision(s, &rec))
			log_error("no memory to tell Directus what became of an appeal uuid=%s",
				uuid);
		rec_fini(REC_appeal_answer, &rec);
	}
	cJSON_Delete(json);
}

void syncd_appeals_look(struct syncd *s, bool whole)
{
	directus_decisions_look(&s->directus_decisions, whole);
}

/* ---- life ---- */

void syncd_appeals_open(struct syncd *s)
{
	struct directus *d = &s->directus;

	directus_appeals_open(&s->directus_appeals, &d->client, &d->conf.mapping, &s->daemon->loop,
		&appeals_ops, s);
	directus_decisions_open(&s->directus_decisions, &d->client, &d->conf.mapping, d->conf.page,
		&decisions_ops, s);
}

int syncd_appeals_start(struct syncd *s)
{
	struct bus *b = s->daemon->bus;
	int err = bus_subscribe(b, TOPIC_appeal_answers, BUS_APID, &answer_ops, s);

	return err ? err : bus_queue_consume(b, QUEUE_appeals, on_appeal, s);
}

void syncd_appeals_close(struct syncd *s)
{
	directus_appeals_close(&s->directus_appeals);
	directus_decisions_close(&s->directus_decisions);
}

void syncd_appeals_fini(struct syncd *s)
{
	directus_appeals_fini(&s->directus_appeals);
	directus_decisions_fini(&s->directus_decisions);
}
