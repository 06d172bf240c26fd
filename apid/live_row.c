/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/live_row.h"
#include "common/timer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The list that a rule's text names: "list ads", "list Advertising, reached by …",
 * "list ads,entry". */
static void find_list(const struct list_names *names, const char *rule, char out[static 65])
{
	char text[300];

	out[0] = '\0';
	if (!rule || strncmp(rule, "list ", 5) != 0 || !strncmp(rule, "list exception", 14))
		return;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(rule + 5, ","), rule + 5);
	snprintf(out, 65, "%.64s", list_names_id(names, text));
}

static int begin(struct live_source *s, struct live_row *r, const char *device, const char *host,
	const char *verdict, const char *rule)
{
	const struct table_row *row = table_find(store_table(s->store, TOPIC_devices), device);

	*r = (struct live_row){ .at = clock_wall_ms(), .verdict = live_verdict_parse(verdict) };
	if (r->verdict == LIVE_VERDICTS)
		return -EINVAL;
	if (!row)
		return -ENOENT;
	snprintf(r->device, sizeof(r->device), "%s", device);
	snprintf(r->group, sizeof(r->group), "%s", row->group ? row->group : "");
	snprintf(r->host, sizeof(r->host), "%s", host ? host : "");
	for (char *c = r->host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	find_list(s->lists, rule, r->list);
	return 0;
}

static cJSON *make(struct live_source *s, const struct live_row *r, const char *path,
	const char *host, const char *rule)
{
	const struct table_row *row = table_find(store_table(s->store, TOPIC_devices), r->device);
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "id", (double)++s->id);
	cJSON_AddNumberToObject(o, "at", (double)r->at);
	cJSON_AddStringToObject(o, "device", r->device);
	cJSON_AddStringToObject(o, "name", row && row->name ? row->name : r->device);
	cJSON_AddStringToObject(o, "path", path);
	if (host && *host)
		cJSON_AddStringToObject(o, "host", host);
	cJSON_AddStringToObject(o, "verdict", live_verdict_texts[r->verdict]);
	if (rule && *rule)
		cJSON_AddStringToObject(o, "rule", rule);
	if (*r->list)
		cJSON_AddStringToObject(o, "list", r->list);
	return o;
}

/* Takes o over. */
static int end(struct live_row *r, cJSON *o)
{
	r->text = o ? json_format(o) : NULL;
	cJSON_Delete(o);
	if (!r->text)
		return -ENOMEM;
	r->len = strlen(r->text);
	return 0;
}

int live_row_query(struct live_source *s, const struct rec_dns_query *q, struct live_row *r)
{
	int err = begin(s, r, q->device, q->name, q->verdict, q->rule);
	cJSON *o;

	if (err)
		return err;
	r->is_dns = true;
	o = make(s, r, "dns", q->name, q->rule);
	if (q->type)
		cJSON_AddStringToObject(o, "type", q->type);
	return end(r, o);
}

/* What was not decrypted went through the proxy unseen. */
static const char *path_of(const struct rec_access *a)
{
	if (a->method && !strcmp(a->method, "CONNECT"))
		return "proxy";
	return a->plain ? "http" : "https";
}

int live_row_access(struct live_source *s, const struct rec_access *a, struct live_row *r)
{
	int err = begin(s, r, a->device, a->host, a->verdict, a->rule);
	cJSON *o;

	if (err)
		return err;
	r->bytes = a->bytes > 0 ? a->bytes : 0;
	o = make(s, r, path_of(a), a->host, a->rule);
	if (a->method)
		cJSON_AddStringToObject(o, "method", a->method);
	if (a->url)
		cJSON_AddStringToObject(o, "url", a->url);
	if (a->status)
		cJSON_AddNumberToObject(o, "status", (double)a->status);
	cJSON_AddNumberToObject(o, "bytes", (double)r->bytes);
	cJSON_AddNumberToObject(o, "ms", (double)a->ms);
	return end(r, o);
}

void live_row_fini(struct live_row *r)
{
	free(r->text);
	r->text = NULL;
}
