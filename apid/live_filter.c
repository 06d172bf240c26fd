/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/live_filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES_MAX = 256 };

static const char *const types[] = { "filter", NULL };
static const struct body_field fields[] = {
	{ .name = "type", .type = BODY_ENUM, .is_required = true, .values = types },
	{ .name = "devices",
		.type = BODY_TEXTS,
		.max = DEVICES_MAX,
		.help = "only of these; none or absent: of all that one may see" },
	{ .name = "verdicts",
		.type = BODY_TEXTS,
		.max = LIVE_VERDICTS,
		.help = "of allow, deny, unknown, failed; none or absent: all" },
	{ .name = "host",
		.type = BODY_TEXT,
		.max = 253,
		.help = "what the host's name contains; absent: any" },
	{ 0 },
};
const struct body_schema live_filter_schema = {
	.name = "LiveFilter",
	.fields = fields,
	.example = "{\"type\":\"filter\",\"devices\":[\"phone\"],\"verdicts\":[\"deny\","
		   "\"unknown\"],\"host\":\"example\"}",
};

static int take_devices(struct live_filter *f, const cJSON *list)
{
	const cJSON *one;

	f->devices.v = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*f->devices.v));
	if (!f->devices.v)
		return -ENOMEM;
	cJSON_ArrayForEach (one, list) {
		f->devices.v[f->devices.n] = strdup(one->valuestring);
		if (!f->devices.v[f->devices.n])
			return -ENOMEM;
		f->devices.n++;
	}
	return 0;
}

static int take_verdicts(struct live_filter *f, const cJSON *list, struct body_error *err)
{
	const cJSON *one;

	cJSON_ArrayForEach (one, list) {
		enum live_verdict v = live_verdict_parse(one->valuestring);

		if (v == LIVE_VERDICTS)
			return body_wrong(
				err, "/verdicts", "are of allow, deny, unknown and failed");
		f->verdicts |= 1u << v;
	}
	return 0;
}

int live_filter_parse(struct live_filter *f, const char *text, size_t len, struct body_error *err)
{
	struct live_filter next = { 0 };
	cJSON *json = json_parse(text, len);
	const char *host;
	int r;

	if (!cJSON_IsObject(json))
		r = body_wrong(err, "", "is not one JSON object with each field once");
	else
		r = body_check(&live_filter_schema, json, err);
	if (!r)
		r = take_devices(&next, json_get(json, "devices"));
	if (!r)
		r = take_verdicts(&next, json_get(json, "verdicts"), err);
	host = r ? NULL : cJSON_GetStringValue(json_get(json, "host"));
	snprintf(next.host, sizeof(next.host), "%s", host ? host : "");
	for (char *c = next.host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	cJSON_Delete(json);
	if (r) {
		live_filter_fini(&next);
	} else {
		live_filter_fini(f);
		*f = next;
	}
	return r;
}

void live_filter_fini(struct live_filter *f)
{
	for (size_t i = 0; i < f->devices.n; i++)
		free(f->devices.v[i]);
	free(f->devices.v);
	*f = (struct live_filter){ 0 };
}

bool live_filter_is_empty(const struct live_filter *f)
{
	return !f->devices.n && !f->verdicts && !f->host[0];
}

static bool names(const struct live_filter *f, const char *device)
{
	for (size_t i = 0; i < f->devices.n; i++) {
		if (!strcmp(f->devices.v[i], device))
			return true;
	}
	return !f->devices.n;
}

bool live_filter_has(const struct live_filter *f, const struct live_row *r)
{
	return (!f->verdicts || (f->verdicts >> r->verdict & 1)) &&
	       (!f->host[0] || strstr(r->host, f->host)) && names(f, r->device);
}
