/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/explain.h"

static void add_text(cJSON *o, const char *key, const char *text)
{
	if (text && *text)
		cJSON_AddStringToObject(o, key, text);
}

void explain_on_step(void *arg, const char *step, bool decided, const struct decision *d)
{
	cJSON *steps = arg, *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "step", step);
	cJSON_AddBoolToObject(o, "decided", decided);
	if (decided) {
		cJSON_AddStringToObject(o, "verdict", verdict_text(d->verdict));
		cJSON_AddStringToObject(o, "reason", reason_text(d->reason));
		cJSON_AddNumberToObject(o, "generation", (double)d->generation);
	} else if (d->reason != REASON_NO_POLICY) {
		cJSON_AddStringToObject(o, "reason", reason_text(d->reason));
	}
	add_text(o, "rule", d->rule);
	add_text(o, "rule_id", d->rule_id);
	add_text(o, "list", d->list);
	add_text(o, "list_title", d->list_title);
	add_text(o, "category", d->category);
	add_text(o, "category_id", d->category_id);
	add_text(o, "answer", d->answer);
	cJSON_AddItemToArray(steps, o);
}

void explain_add(cJSON *steps, const char *step, bool decided, const char *verdict,
	const char *reason, const char *rule)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "step", step);
	cJSON_AddBoolToObject(o, "decided", decided);
	add_text(o, "verdict", verdict);
	add_text(o, "reason", reason);
	add_text(o, "rule", rule);
	cJSON_AddItemToArray(steps, o);
}
