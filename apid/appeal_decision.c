/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/appeal_decision.h"
#include "common/timer.h"

#include <errno.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const effects[] = { "website", "override", "none", NULL };
static const char *const matches[] = { "exact", "endswith", "startswith", "contains", "wildcard",
	NULL };
static const char *const actions[] = { "block", "allow", NULL };
static const char *const media[] = { "hide", "show", NULL };
static const struct body_field decision_fields[] = {
	{ .name = "effect",
		.type = BODY_ENUM,
		.values = effects,
		.help = "website: a rule for everybody; override: for the device alone; none: only "
			"the answer. An appeal is an override by default, others are a website" },
	{ .name = "category",
		.type = BODY_TEXT,
		.max = 64,
		.help = "of the website rule; the one that the device chose by default" },
	{ .name = "pattern",
		.type = BODY_TEXT,
		.min = 1,
		.max = 2048,
		.help = "the appeal's host by default" },
	{ .name = "match",
		.type = BODY_ENUM,
		.values = matches,
		.help = "endswith by default: the host and all below it; exact where strangers "
			"have names below it, as below com, co.uk, github.io" },
	{ .name = "action",
		.type = BODY_ENUM,
		.values = actions,
		.help = "of the override; allow by default, block for a report" },
	{ .name = "images", .type = BODY_ENUM, .values = media },
	{ .name = "words", .type = BODY_ENUM, .values = media },
	{ .name = "until",
		.type = BODY_INT,
		.min = 0,
		.max = 9007199254740991,
		.help = "epoch milliseconds: when the override ends; for good by default" },
	{ .name = "answer", .type = BODY_TEXT, .max = 2048, .help = "a word to the device" },
	{ 0 },
};
const struct body_schema appeal_decision_schema = { .name = "AppealDecision",
	.fields = decision_fields,
	.example = "{\"effect\":\"override\",\"answer\":\"For this week.\"}" };

struct deciding {
	struct store *s;
	struct store_actor by;
	struct appeal_decision d;
	char uuid[37];
	cJSON *body;
	struct appeal_outcome out;
	size_t row; /* statement */
	void (*on_done)(void *arg, const struct appeal_outcome *outcome);
	void *arg;
};

static const char *said(const struct deciding *d, const char *name)
{
	return cJSON_GetStringValue(json_get(d->body, name));
}

static const char *said_or(const struct deciding *d, const char *name, const char *otherwise)
{
	const char *text = said(d, name);

	return text ? text : otherwise;
}

static int wrong(struct deciding *d, const char *pointer, const char *reason)
{
	return body_wrong(&d->out.err, pointer, reason);
}

static void copy_field(const struct deciding *d, cJSON *out, const char *name)
{
	const cJSON *item = json_get(d->body, name);

	if (item)
		cJSON_AddItemToObject(out, name, cJSON_Duplicate(item, true));
}

/* The website rule that has that pattern already; NULL = none. It would go before another of the
 * same pattern. */
static const struct table_row *find_website(
	const struct deciding *d, const char *pattern, const char *match)
{
	const struct table *t = store_table(d->s, TOPIC_websites);

	for (size_t i = 0; i < t->n; i++) {
		const struct table_row *row = t->sorted[i];
		const char *have_match, *have;
		cJSON *json;
		bool is_it;

		if (!strstr(row->text, pattern))
			continue;
		json = json_parse(row->text, row->len);
		have = cJSON_GetStringValue(json_get(json, "pattern"));
		have_match = cJSON_GetStringValue(json_get(json, "match"));
		is_it = have && !strcmp(have, pattern) && have_match && !strcmp(have_match, match);
		cJSON_Delete(json);
		if (is_it)
			return row;
	}
	return NULL;
}

/* The host comes from the device, and is approved with one keystroke. */
static const char *match_of(const struct deciding *d, const char *pattern)
{
	return said_or(
		d, "match", psl_is_public_suffix(psl_builtin(), pattern) ? "exact" : "endswith");
}

static cJSON *make_website(struct deciding *d, const cJSON *appeal, char id[static 331])
{
	const char *category =
		said_or(d, "category", cJSON_GetStringValue(json_get(appeal, "category_id")));
	const char *pattern = said_or(d, "pattern", cJSON_GetStringValue(json_get(appeal, "host")));
	const char *match = match_of(d, pattern);
	const struct table_row *have;
	cJSON *out;

	if (!category || !d->d.has_category(d->d.arg, category)) {
		wrong(d, "/category", category ? "is no category" : "is missing");
		return NULL;
	}
	have = find_website(d, pattern, match);
	out = have ? json_parse(have->text, have->len) : cJSON_CreateObject();
	if (have)
		snprintf(id, 331, "%s", have->id);
	for (int i = 0; i < 5; i++) {
		static const char *const names[] = { "id", "pattern", "match", "category",
			"status" };
		const char *const values[] = { id, pattern, match, category, "approved" };

		cJSON_DeleteItemFromObjectCaseSensitive(out, names[i]);
		cJSON_AddStringToObject(out, names[i], values[i]);
	}
	return out;
}

static cJSON *make_override(struct deciding *d, const cJSON *appeal, const char *id)
{
	const char *device = cJSON_GetStringValue(json_get(appeal, "device"));
	const char *mode = cJSON_GetStringValue(json_get(appeal, "mode"));
	bool is_report = mode && !strcmp(mode, "report");
	const char *pattern = said_or(d, "pattern", cJSON_GetStringValue(json_get(appeal, "host")));
	cJSON *out;

	if (!device || !table_find(store_table(d->s, TOPIC_devices), device)) {
		wrong(d, "/effect", "is for a device, and the appeal's is there no more");
		return NULL;
	}
	out = cJSON_CreateObject();
	cJSON_AddStringToObject(out, "id", id);
	cJSON_AddStringToObject(out, "device", device);
	cJSON_AddStringToObject(out, "pattern", pattern);
	cJSON_AddStringToObject(out, "match", match_of(d, pattern));
	cJSON_AddStringToObject(out, "action", said_or(d, "action", is_report ? "block" : "allow"));
	copy_field(d, out, "until");
	return out;
}

/* What an approval brings about: a record of table, and the row's column effect. */
static int add_effect(struct deciding *d, struct store_work *w, const cJSON *appeal,
	const char *kind, char **effect)
{
	bool is_website = !strcmp(kind, "website");
	int table = is_website ? TOPIC_websites : TOPIC_site_overrides;
	const struct body_schema schema = { .is_record = true,
		.record = is_website ? REC_website : REC_site_override };
	char id[331];
	cJSON *record, *json;
	char *text;
	int r;

	snprintf(id, sizeof(id), "appeal-%s", d->uuid);
	record = is_website ? make_website(d, appeal, id) : make_override(d, appeal, id);
	if (!record)
		return -EINVAL;
	copy_field(d, record, "images");
	copy_field(d, record, "words");
	r = body_check(&schema, record, &d->out.err);
	text = r ? NULL : json_format(record);
	if (!r)
		r = text ? store_work_set(w, table, id, text) : -ENOMEM;
	free(text);
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "kind", kind);
	cJSON_AddStringToObject(json, "id", id);
	cJSON_AddItemToObject(json, "record", record);
	*effect = r ? NULL : json_format(json);
	cJSON_Delete(json);
	return !r && !*effect ? -ENOMEM : r;
}

static const char *effect_kind(const struct deciding *d, const cJSON *appeal)
{
	const char *mode = cJSON_GetStringValue(json_get(appeal, "mode"));

	if (d->d.status != REVIEW_STATUS_APPROVED)
		return "none";
	return said_or(d, "effect", mode && !strcmp(mode, "appeal") ? "override" : "website");
}

static int check_pending(struct deciding *d, const cJSON *appeal)
{
	const char *status = cJSON_GetStringValue(json_get(appeal, "status"));

	if (!status || !strcmp(status, "pending"))
		return 0;
	return strcmp(status, enum_text(ENUM_ID_review_status, (int)d->d.status)) ? -EEXIST
										  : -EALREADY;
}

static int add_decision(
	struct deciding *d, struct store_work *w, struct db_batch *b, const cJSON *appeal)
{
	const char *kind = effect_kind(d, appeal), *answer = said(d, "answer");
	const char *device = cJSON_GetStringValue(json_get(appeal, "device"));
	const char *status = enum_text(ENUM_ID_review_status, (int)d->d.status);
	char *effect = NULL, *old;
	int r = d->d.may ? d->d.may(d->d.arg, device, !strcmp(kind, "website")) : 0;

	if (!r)
		r = check_pending(d, appeal);
	if (!r && strcmp(kind, "none"))
		r = add_effect(d, w, appeal, kind, &effect);
	if (!r)
		r = appeal_answer_set(w, d->uuid, device,
			cJSON_GetStringValue(json_get(appeal, "host")), d->d.status, answer);
	if (r) {
		free(effect);
		return r;
	}
	db_add(b,
		"UPDATE appeals SET status = ?, answer = ?, effect = ?, decided_at = ?, "
		"decided_by = ? WHERE uuid = ?",
		"sssiss", status, answer, effect, clock_wall_ms(), d->by.name, d->uuid);
	old = json_format(appeal);
	write_audit(b, &d->by,
		d->d.status == REVIEW_STATUS_APPROVED ? "appeal_approve" : "appeal_reject", d->uuid,
		old, effect);
	store_work_note(w, "appeals", d->uuid);
	free(old);
	free(effect);
	return 0;
}

static int decide_step(void *arg, struct store_work *w, struct db_batch *b, unsigned number)
{
	struct deciding *d = arg;
	const struct db_rows *rows;
	cJSON *appeal;
	int r;

	if (!number) {
		d->row = db_add(b, "SELECT " APPEAL_COLUMNS " FROM appeals a WHERE a.uuid = ?", "s",
			d->uuid);
		return 1;
	}
	rows = db_batch_rows(b, d->row);
	if (!rows->n)
		return -ENOENT;
	appeal = appeal_json(rows, 0);
	r = add_decision(d, w, b, appeal);
	cJSON_Delete(appeal);
	return r;
}

static void on_decided(void *arg, int status)
{
	struct deciding *d = arg;

	/* Decided like this before: nothing more happens. */
	d->out.status = status == -EALREADY ? 0 : status;
	d->out.is_decided = !status;
	d->on_done(d->arg, &d->out);
	cJSON_Delete(d->body);
	free(d);
}

void appeal_decide(struct store *s, const struct store_actor *by, const struct appeal_decision *dec,
	void (*on_done)(void *arg, const struct appeal_outcome *outcome), void *arg)
{
	struct deciding *d = calloc(1, sizeof(*d));

	if (!d) {
		struct appeal_outcome out = { .status = -ENOMEM };

		on_done(arg, &out);
		return;
	}
	d->s = s;
	d->by = *by;
	d->d = *dec;
	snprintf(d->uuid, sizeof(d->uuid), "%s", dec->uuid);
	d->body = dec->body ? cJSON_Duplicate(dec->body, true) : cJSON_CreateObject();
	d->on_done = on_done;
	d->arg = arg;
	store_work(s, by, 0, decide_step, on_decided, d);
}
