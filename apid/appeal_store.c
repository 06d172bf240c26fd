/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/appeal_store.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS_PER_DEVICE = 50 };

static const struct store_actor self = { .name = "apid" };

/* ---- rows ---- */

static void add_text(cJSON *out, const char *name, const char *text)
{
	if (text)
		cJSON_AddStringToObject(out, name, text);
	else
		cJSON_AddNullToObject(out, name);
}

static void add_time(cJSON *out, const char *name, const char *text)
{
	if (text)
		cJSON_AddNumberToObject(out, name, (double)atoll(text));
	else
		cJSON_AddNullToObject(out, name);
}

cJSON *appeal_json(const struct db_rows *rows, size_t row)
{
	static const char *const texts[] = { "uuid", "url", "host", "mode", "category_id", "reason",
		"device" };
	const char *effect = db_cell(rows, row, 10);
	cJSON *out = cJSON_CreateObject(),
	      *json = effect ? json_parse(effect, strlen(effect)) : NULL;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		add_text(out, texts[i], db_cell(rows, row, i));
	add_time(out, "time", db_cell(rows, row, 7));
	add_text(out, "status", db_cell(rows, row, 8));
	add_text(out, "answer", db_cell(rows, row, 9));
	cJSON_AddItemToObject(out, "effect", json ? json : cJSON_CreateNull());
	add_time(out, "decided_at", db_cell(rows, row, 11));
	add_text(out, "decided_by", db_cell(rows, row, 12));
	add_time(out, "directus_at", db_cell(rows, row, 13));
	return out;
}

/* ---- answers, for the device's portal ---- */

int appeal_answer_set(struct store_work *w, const char *uuid, const char *device, const char *host,
	enum review_status status, const char *answer)
{
	cJSON *json;
	char *text;
	int r;

	if (!device || !device[0])
		return 0;
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "uuid", uuid);
	cJSON_AddStringToObject(json, "device", device);
	cJSON_AddStringToObject(json, "host", host);
	cJSON_AddStringToObject(json, "status", enum_text(ENUM_ID_review_status, (int)status));
	if (answer && answer[0])
		cJSON_AddStringToObject(json, "answer", answer);
	text = json_format(json);
	cJSON_Delete(json);
	r = text ? store_work_set(w, TOPIC_appeal_answers, uuid, text) : -ENOMEM;
	free(text);
	return r;
}

/* ---- one that comes ---- */

struct coming {
	struct rec_appeal appeal; /* a copy */
	bool is_new;
	size_t found, old; /* statements */
	void (*on_done)(void *arg, int status, bool is_new);
	void *arg;
};

static void on_come(void *arg, int status)
{
	struct coming *c = arg;

	c->on_done(c->arg, status == -EALREADY ? 0 : status, c->is_new && !status);
	rec_fini(REC_appeal, &c->appeal);
	free(c);
}

static int add_coming(struct coming *c, struct store_work *w, struct db_batch *b)
{
	const struct rec_appeal *a = &c->appeal;
	const struct db_rows *old = db_batch_rows(b, c->old);
	int64_t now = clock_wall_ms();
	int r;

	db_add(b,
		"INSERT INTO appeals (uuid, url, host, mode, category_id, reason, device, at, "
		"received_at, queued_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"sssssssiii", a->uuid, a->url, a->host,
		enum_text(ENUM_ID_appeal_mode, (int)a->mode), a->category_id, a->reason,
		a->device_id, rec_has(a, appeal, time) ? a->time : now, now, now);
	c->is_new = true;
	store_work_note(w, "appeals", a->uuid);
	r = appeal_answer_set(w, a->uuid, a->device_id, a->host, REVIEW_STATUS_PENDING, NULL);
	for (size_t i = 0; i < old->n && !r; i++)
		r = store_work_set(w, TOPIC_appeal_answers, db_cell(old, i, 0), NULL);
	return r;
}

static int coming_step(void *arg, struct store_work *w, struct db_batch *b, unsigned number)
{
	struct coming *c = arg;

	if (number)
		return db_batch_rows(b, c->found)->n ? -EALREADY : add_coming(c, w, b);
	c->found = db_add(b, "SELECT n FROM appeals WHERE uuid = ?", "s", c->appeal.uuid);
	/* A device sees its newest. */
	c->old = db_add(b,
		"SELECT uuid FROM appeals WHERE device = ? ORDER BY n DESC LIMIT ? OFFSET ?", "sii",
		c->appeal.device_id ? c->appeal.device_id : "", (int64_t)ANSWERS_PER_DEVICE,
		(int64_t)ANSWERS_PER_DEVICE - 1);
	return 1;
}

/* The record as JSON and back: a copy that owns its texts. */
static int copy_appeal(const struct rec_appeal *from, struct rec_appeal *to)
{
	cJSON *json = codec_encode(REC_appeal, from);
	int r = json ? codec_decode(REC_appeal, CODEC_LENIENT, json, to, NULL, 0) : -ENOMEM;

	cJSON_Delete(json);
	return r;
}

void appeal_store(struct store *s, const struct rec_appeal *appeal,
	void (*on_done)(void *arg, int status, bool is_new), void *arg)
{
	struct coming *c = calloc(1, sizeof(*c));
	int r = c ? copy_appeal(appeal, &c->appeal) : -ENOMEM;

	if (r) {
		free(c);
		on_done(arg, r, false);
		return;
	}
	c->on_done = on_done;
	c->arg = arg;
	store_work(s, &self, 0, coming_step, on_come, c);
}
