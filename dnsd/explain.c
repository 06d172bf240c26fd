/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/explain.h"
#include "dnsd/dnsd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void add_text(cJSON *o, const char *key, const char *text)
{
	if (text && *text)
		cJSON_AddStringToObject(o, key, text);
}

static uint16_t parse_type(const char *text)
{
	static const struct {
		const char *text;
		uint16_t type;
	} types[] = { { "A", TYPE_A }, { "AAAA", TYPE_AAAA }, { "HTTPS", TYPE_HTTPS },
		{ "SVCB", TYPE_SVCB }, { "CNAME", TYPE_CNAME }, { "TXT", TYPE_TXT },
		{ "MX", TYPE_MX }, { "PTR", TYPE_PTR }, { "SRV", TYPE_SRV }, { "NS", TYPE_NS },
		{ "CAA", TYPE_CAA }, { "SOA", TYPE_SOA } };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!text || !strcasecmp(text, types[i].text))
			return types[i].type;
	}
	return 0;
}

/* What the device would be answered, as far as it is known without asking upstream. */
static void add_outcome(cJSON *o, const struct judgement *j)
{
	static const char *const judged[] = {
		[JUDGED_SILENCE] = "silence",
		[JUDGED_BLOCK] = "block",
		[JUDGED_OWN] = "own records",
		[JUDGED_ALIAS] = "alias",
		[JUDGED_PASS] = "forward",
	};
	static const char *const modes[] = {
		[BLOCK_NULL] = "null",
		[BLOCK_NXDOMAIN] = "nxdomain",
		[BLOCK_REFUSED] = "refused",
		[BLOCK_ADDRESS] = "address",
		[BLOCK_NODATA] = "nodata",
	};
	char text[NAME_ESCAPED_MAX];

	cJSON_AddStringToObject(o, "outcome", judged[j->judged]);
	if (j->judged == JUDGED_BLOCK) {
		cJSON_AddStringToObject(o, "mode", modes[j->how.mode]);
		add_text(o, "text", j->text);
	}
	if (j->judged == JUDGED_ALIAS) {
		name_escape(j->alias, text);
		cJSON_AddStringToObject(o, "alias", text);
	}
	/* CNAME and SVCB targets and addresses are judged once they are known. */
	cJSON_AddBoolToObject(o, "judges_answer", !j->final && j->judged >= JUDGED_ALIAS);
}

static void on_explain(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	struct dnsd *d = arg;
	const struct rec_dns_explain *a = args;
	struct device_view *found = directory_find_id(d->directory, a->device), view, *v = &view;
	int64_t at = rec_has(a, dns_explain, at) ? a->at : clock_wall_ms();
	struct question q = { .type = parse_type(a->type), .klass = CLASS_IN };
	struct judge judge;
	struct judgement judgement;
	char text[NAME_TEXT_MAX];
	size_t len;

	(void)caller;
	if (!found) {
		bus_call_fail(call, "unknown_device", a->device);
		return;
	}
	if (!q.type || name_parse(a->name, &q.name) || !name_text(&q.name, text, &len)) {
		bus_call_fail(call, "bad_question", q.type ? a->name : a->type);
		return;
	}
	name_lower(&q.name);
	directory_view_at(d->directory, found, at, v);
	struct policy_query query = { .path = POLICY_PATH_DNS, .host = text, .host_len = len };
	cJSON *result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "device", v->id);
	cJSON_AddStringToObject(result, "name", text);
	cJSON *steps = cJSON_AddArrayToObject(result, "steps");
	policy_explain(d->policy, v, &query, at, explain_on_step, steps);
	dnsd_judge(d, &judge);
	judge_question(&judge, v, &q, at, &judgement);
	add_outcome(result, &judgement);
	bus_call_reply(call, result);
}

int dnsd_explain_serve(struct dnsd *d)
{
	return bus_serve(d->daemon->bus, REQUEST_dnsd_explain, on_explain, d);
}
