/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/appeals.h"
#include "apid/appeal_decision.h"
#include "apid/mail_message.h"
#include "apid/unblock.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 1000, REQUEUE_MAX = 64, DIRECTUS_MS = 60000, PURGE_MS = 600000, PURGE_MAX = 200 };

static const struct store_actor self = { .name = "apid" };

struct waiting_appeal {
	struct list node;
	struct appeals *a;
	char *entry;
	struct rec_appeal rec;
};

static void free_waiting(struct waiting_appeal *w)
{
	list_remove(&w->node);
	w->a->waiting_count--;
	rec_fini(REC_appeal, &w->rec);
	free(w->entry);
	free(w);
}

/* ---- from the queue into the database ---- */

static void store_next(struct appeals *a);

static void notify(struct appeals *a, const struct rec_appeal *rec)
{
	const char *mode = enum_text(ENUM_ID_appeal_mode, (int)rec->mode);
	cJSON *data = codec_encode(REC_appeal, rec);
	const char *reason = rec->reason ? rec->reason : "";
	char text[700];

	snprintf(text, sizeof(text), "New %s of %s: %s: %.*s", mode,
		rec->device_id ? rec->device_id : "a device", rec->host,
		(int)mail_text_fit(reason, 300), reason);
	text[strcspn(text, "\r\n")] = '\0';
	notify_add(a->notify, "appeal", data, text);
}

static void take_stored(struct waiting_appeal *w, bool is_new)
{
	struct appeals *a = w->a;

	if (is_new) {
		a->stored++;
		log_info("appeal stored uuid=%s", w->rec.uuid);
		notify(a, &w->rec);
	}
	bus_queue_confirm(a->bus, QUEUE_appeals, w->rec.uuid);
	bus_queue_ack(a->bus, QUEUE_appeals, w->entry);
	free_waiting(w);
	store_next(a);
}

static void on_stored(void *arg, int status, bool is_new)
{
	struct waiting_appeal *w = arg;
	struct appeals *a = w->a;

	a->active = NULL;
	if (!status) {
		take_stored(w, is_new);
	} else if (status == -EINVAL) {
		/* It never will: proxyd keeps it in its spool, the others go on. */
		log_error("appeal refused by the database uuid=%s", w->rec.uuid);
		bus_queue_ack(a->bus, QUEUE_appeals, w->entry);
		free_waiting(w);
		store_next(a);
	} else if (status != -ECANCELED && a->retry.on_fire) {
		timer_start(&a->retry, RETRY_MS, 0);
	}
}

static void store_next(struct appeals *a)
{
	if (a->active || list_is_empty(&a->waiting) || !a->retry.on_fire)
		return;
	if (!store_is_ready(a->store)) {
		timer_start(&a->retry, RETRY_MS, 0);
		return;
	}
	a->active = container_of(a->waiting.next, struct waiting_appeal, node);
	appeal_store(a->store, &a->active->rec, on_stored, a->active);
}

static void on_retry(struct timer *t)
{
	store_next(t->data);
}

static void on_message(void *arg, const char *entry, const cJSON *record)
{
	struct appeals *a = arg;
	struct waiting_appeal *w = calloc(1, sizeof(*w));

	if (w && codec_decode(REC_appeal, CODEC_LENIENT, record, &w->rec, NULL, 0)) {
		log_error("what is in the queue is no appeal entry=%s", entry);
		bus_queue_ack(a->bus, QUEUE_appeals, entry);
		free(w);
		return;
	}
	if (!w || !(w->entry = strdup(entry))) {
		/* Delivered again after a restart. */
		log_error("no memory for an appeal entry=%s", entry);
		if (w)
			rec_fini(REC_appeal, &w->rec);
		free(w);
		return;
	}
	w->a = a;
	list_add(&a->waiting, &w->node);
	a->waiting_count++;
	store_next(a);
}

/* ---- until Directus has it ---- */

static cJSON *make_record(const struct db_rows *rows, size_t i)
{
	static const char *const names[] = { "uuid", "url", "host", "mode", "category_id", "reason",
		"device_id" };
	cJSON *out = cJSON_CreateObject();

	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		if (db_cell(rows, i, k))
			cJSON_AddStringToObject(out, names[k], db_cell(rows, i, k));
	}
	cJSON_AddNumberToObject(out, "time", (double)atoll(db_cell(rows, i, 7)));
	return out;
}

/* First what is due, then that it was queued. */
static void on_due(void *arg, struct db_batch *b, int status)
{
	struct appeals *a = arg;
	const struct db_rows *rows;

	if (status || a->due == SIZE_MAX) {
		a->is_requeueing = false;
		return;
	}
	rows = db_batch_rows(b, a->due);
	for (size_t i = 0; i < rows->n; i++) {
		if (bus_queue_add(a->bus, QUEUE_appeals, make_record(rows, i)))
			break;
		log_info("appeal queued again for Directus uuid=%s", db_cell(rows, i, 0));
		db_add(b, "UPDATE appeals SET queued = queued + 1, queued_at = ? WHERE uuid = ?",
			"is", clock_wall_ms(), db_cell(rows, i, 0));
	}
	if (!rows->n)
		a->is_requeueing = false;
	a->due = SIZE_MAX;
}

/* ---- what is past its retention ---- */

static int purge_step(void *arg, struct store_work *w, struct db_batch *b, unsigned number)
{
	struct appeals *a = arg;
	const struct db_rows *rows;
	int r = 0;

	if (!number) {
		a->old = db_add(b,
			"SELECT uuid FROM appeals WHERE status <> 'pending' AND decided_at < ? "
			"ORDER BY decided_at LIMIT ?",
			"ii", clock_wall_ms() - a->keep_ms, (int64_t)PURGE_MAX);
		return 1;
	}
	rows = db_batch_rows(b, a->old);
	if (!rows->n)
		return -EALREADY;
	for (size_t i = 0; i < rows->n && !r; i++) {
		db_add(b, "DELETE FROM appeals WHERE uuid = ?", "s", db_cell(rows, i, 0));
		r = store_work_set(w, TOPIC_appeal_answers, db_cell(rows, i, 0), NULL);
	}
	store_work_note(w, "appeals", "");
	return r;
}

static void on_purged(void *arg, int status)
{
	struct appeals *a = arg;

	a->is_purging = false;
	if (!status)
		log_info("old appeals removed");
}

static void purge(struct appeals *a)
{
	uint64_t now = clock_mono_ms();

	if (a->is_purging || now < a->purge_at)
		return;
	a->purge_at = now + PURGE_MS;
	a->is_purging = true;
	unblock_purge(a->store);
	store_work(a->store, &self, 0, purge_step, on_purged, a);
}

/* ---- every while ---- */

static void on_requeue(struct timer *t)
{
	struct appeals *a = t->data;
	int64_t now = clock_wall_ms();
	struct db_batch *b;

	if (a->is_requeueing || !store_is_publisher(a->store))
		return;
	purge(a);
	if (now - a->directus_at > DIRECTUS_MS || !(b = db_batch_new()))
		return;
	a->is_requeueing = true;
	a->due = db_add(b,
		"SELECT uuid, url, host, mode, category_id, reason, device, at FROM appeals WHERE "
		"directus_at IS NULL AND queued_at < ? - ? * POW(2, LEAST(queued, 6)) ORDER BY "
		"queued_at LIMIT ?",
		"iii", now, a->requeue_ms, (int64_t)REQUEUE_MAX);
	store_submit(a->store, b, on_due, a);
}

static void on_delivered(void *arg, enum bus_event ev, const void *rec)
{
	const struct rec_appeal_stored *stored = rec;
	struct appeals *a = arg;
	struct db_batch *b = store_is_publisher(a->store) ? db_batch_new() : NULL;

	(void)ev;
	if (!b)
		return;
	db_add(b, "UPDATE appeals SET directus_at = ? WHERE uuid = ? AND directus_at IS NULL", "is",
		clock_wall_ms(), stored->uuid);
	store_submit(a->store, b, NULL, NULL);
}

static void on_status(void *arg, const struct bus_status *s)
{
	struct appeals *a = arg;

	if (s->daemon == BUS_SYNCD && json_get(s->json, "directus_appeals"))
		a->directus_at = clock_wall_ms();
}

/* ---- decided in Directus ---- */

bool appeals_has_category(const struct store *s, const struct bus *bus, const char *id)
{
	return table_find(store_table(s, TOPIC_categories), id) ||
	       bus_topic_find(bus, TOPIC_categories, BUS_SYNCD, id);
}

static bool has_category(void *arg, const char *id)
{
	const struct appeals *a = arg;

	return appeals_has_category(a->store, a->bus, id);
}

struct served {
	struct bus_call *call;
	enum review_status status;
};

static void on_decided(void *arg, const struct appeal_outcome *out)
{
	struct served *v = arg;
	cJSON *result;

	switch (out->status) {
	case 0:
	case -EEXIST:
		result = cJSON_CreateObject();
		/* Otherwise it is the one of the two that this is not. */
		cJSON_AddStringToObject(result, "status",
			enum_text(ENUM_ID_review_status,
				(int)((v->status == REVIEW_STATUS_APPROVED) == !out->status
						? REVIEW_STATUS_APPROVED
						: REVIEW_STATUS_REJECTED)));
		cJSON_AddBoolToObject(result, "decided", out->is_decided);
		bus_call_reply(v->call, result);
		break;
	case -ENOENT:
		bus_call_fail(v->call, "not_found", "no such appeal");
		break;
	case -EINVAL:
		bus_call_fail(v->call, "invalid",
			out->err.reason[0] ? out->err.reason : "the database refuses it");
		break;
	default:
		bus_call_fail(v->call, "unavailable", "the database does not answer");
	}
	free(v);
}

/* Why it cannot be decided now, or NULL. */
static const char *tell_delay(const struct appeals *a, const struct rec_appeal_status *in)
{
	if (!store_is_ready(a->store))
		return "the database does not answer";
	/* It may be one of syncd's, which come from Redis. */
	if (in->category_id && !appeals_has_category(a->store, a->bus, in->category_id) &&
		!bus_topic_is_answered(a->bus, TOPIC_categories, BUS_SYNCD))
		return "which categories there are is not known yet";
	return NULL;
}

static void on_appeal_status(
	void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	static const struct store_actor by = { .name = "directus" };
	const struct rec_appeal_status *in = args;
	struct appeals *a = arg;
	struct served *v = malloc(sizeof(*v));
	cJSON *body = cJSON_CreateObject();
	const char *why = !v || !body ? "no memory" : tell_delay(a, in);

	(void)caller;
	if (why) {
		bus_call_fail(call, "unavailable", why);
		cJSON_Delete(body);
		free(v);
		return;
	}
	if ((enum review_status)in->status == REVIEW_STATUS_PENDING) {
		bus_call_fail(call, "invalid", "pending is no decision");
		cJSON_Delete(body);
		free(v);
		return;
	}
	*v = (struct served){ call, (enum review_status)in->status };
	if (in->answer)
		cJSON_AddStringToObject(body, "answer", in->answer);
	if (in->category_id)
		cJSON_AddStringToObject(body, "category", in->category_id);
	appeal_decide(a->store, &by,
		&(struct appeal_decision){ .uuid = in->uuid,
			.status = v->status,
			.body = body,
			.has_category = has_category,
			.arg = a },
		on_decided, v);
	cJSON_Delete(body);
}

/* ---- life ---- */

/* Kept to be found. */
static void on_category(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	(void)arg;
	(void)topic;
	(void)owner;
	(void)id;
	(void)rec;
}

static const struct bus_topic_ops category_ops = { .on_record = on_category };

int appeals_open(struct appeals *a, uv_loop_t *loop)
{
	uint64_t every = (uint64_t)a->requeue_ms < 20000 ? (uint64_t)a->requeue_ms / 2 : 10000;
	int r;

	list_init(&a->waiting);
	timer_init(loop, &a->retry, on_retry, a);
	timer_init(loop, &a->requeue, on_requeue, a);
	timer_start(&a->requeue, every, every);
	r = bus_watch_status(a->bus, on_status, a);
	if (!r)
		r = bus_subscribe(a->bus, TOPIC_categories, BUS_SYNCD, &category_ops, a);
	if (!r)
		r = bus_event_subscribe(a->bus, EVENT_syncd_appeal_stored, on_delivered, a);
	if (!r)
		r = bus_serve(a->bus, REQUEST_apid_appeal_status, on_appeal_status, a);
	return r ? r : bus_queue_consume(a->bus, QUEUE_appeals, on_message, a);
}

void appeals_close(struct appeals *a)
{
	if (!a->retry.on_fire)
		return;
	timer_close(&a->retry, NULL);
	timer_close(&a->requeue, NULL);
	a->retry.on_fire = NULL;
}

void appeals_fini(struct appeals *a)
{
	if (!a->waiting.next)
		return; /* it was never opened */
	list_foreach_safe (&a->waiting, it)
		free_waiting(container_of(it, struct waiting_appeal, node));
}

void appeals_report(const struct appeals *a, cJSON *status)
{
	cJSON *json = cJSON_AddObjectToObject(status, "appeals");

	cJSON_AddNumberToObject(json, "waiting", (double)a->waiting_count);
	cJSON_AddNumberToObject(json, "stored", (double)a->stored);
}
