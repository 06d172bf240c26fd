/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/explain.h"
#include "apid/bus.h"
#include "apid/followed.h"
#include "apid/gateways.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct explain {
	struct api *a;
	char device[65], host[254];
	bool is_literal; /* the host is an address */
	struct addr address;
	int64_t at;
	char *url;
	unsigned pending;
	cJSON *dns, *web, *reach; /* answers; NULL = none */
	const char *dns_error, *web_error, *reach_error;
	void (*on_done)(void *arg, cJSON *json);
	void *arg;
};

/* ---- the address ---- */

char *explain_make_url(const char *text)
{
	bool has_scheme = strstr(text, "://");
	const char *rest = has_scheme ? strstr(text, "://") + 3 : text;
	size_t host_len = strcspn(rest, "/?#");
	size_t scheme_len = (size_t)(rest - text);
	char *out;

	if (has_scheme && strncasecmp(text, "http://", 7) && strncasecmp(text, "https://", 8))
		return NULL;
	if (!host_len || strlen(text) > 2000)
		return NULL;
	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c > '~')
			return NULL;
	}
	out = malloc(strlen(text) + 16);
	if (!out)
		return NULL;
	sprintf(out, "%.*s%.*s%s%s", (int)(has_scheme ? scheme_len : 8),
		has_scheme ? text : "https://", (int)host_len, rest,
		rest[host_len] == '/' ? "" : "/", rest + host_len);
	for (size_t i = 0; out[i] && out[i] != ':'; i++)
		out[i] = (char)(out[i] | 0x20); /* the scheme, in lower case */
	return out;
}

/* The host of such a URL, in lower case, without a final dot and brackets. */
static void take_host(const char *url, char out[static 254])
{
	const char *host = strstr(url, "://") + 3;
	size_t len = *host == '[' ? strcspn(host, "]") : strcspn(host, "/:?#");

	if (*host == '[') {
		host++;
		len--;
	}
	if (len > 253)
		len = 253;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] | 0x20 : host[i]);
	out[len] = '\0';
	if (len && out[len - 1] == '.')
		out[len - 1] = '\0';
}

/* ---- whose rule it is ---- */

static const char *owner_of(
	const struct explain *e, int table, enum bus_topic topic, const char *id)
{
	if (table_find(store_table(e->a->store, table), id))
		return "local";
	return topic == BUS_TOPICS || bus_topic_find(e->a->bus, topic, BUS_SYNCD, id) ? "directus"
										      : NULL;
}

/* Is the list held at a version that it was rolled back to? */
static void add_version(const struct explain *e, const char *list, cJSON *step)
{
	const struct table_row *row = table_find(&e->a->followed->lists, list);
	cJSON *json = row ? json_parse(row->text, row->len) : NULL;
	const cJSON *at = json_get(json, "pinned_at"), *version = json_get(json, "version");

	if (at && version) {
		cJSON_AddItemToObject(step, "list_version", cJSON_Duplicate(version, true));
		cJSON_AddItemToObject(step, "list_pinned_at", cJSON_Duplicate(at, true));
	}
	cJSON_Delete(json);
}

static void add_owner(const struct explain *e, cJSON *step)
{
	const char *rule = cJSON_GetStringValue(json_get(step, "rule_id"));
	const char *list = cJSON_GetStringValue(json_get(step, "list"));
	const char *reason = cJSON_GetStringValue(json_get(step, "reason")), *owner = NULL;

	if (rule && reason)
		owner = owner_of(e,
			!strcmp(reason, "override") ? TOPIC_site_overrides : TOPIC_websites,
			BUS_TOPICS, rule);
	else if (list)
		owner = owner_of(e, TOPIC_list_sources, BUS_TOPICS, list);
	if (list)
		add_version(e, list, step);
	if (owner)
		cJSON_AddStringToObject(step, "owner", owner);
}

static void add_owners(const struct explain *e, cJSON *path)
{
	cJSON *step;

	cJSON_ArrayForEach (step, json_get(path, "steps"))
		add_owner(e, step);
}

/* ---- the paths ---- */

static cJSON *new_path(const char *daemon, const char *error)
{
	cJSON *path = cJSON_CreateObject();

	cJSON_AddStringToObject(path, "daemon", daemon);
	if (error)
		cJSON_AddStringToObject(path, "unavailable", error);
	return path;
}

/* What dnsd decides by itself, behind the policy. */
static const char *find_dns_step(const cJSON *steps, bool is_block)
{
	const cJSON *step;

	cJSON_ArrayForEach (step, steps) {
		const char *verdict = cJSON_GetStringValue(json_get(step, "verdict"));

		if (!cJSON_IsTrue(json_get(step, "decided")) || !verdict)
			continue;
		if (is_block == !strcmp(verdict, "block"))
			return cJSON_GetStringValue(json_get(step, "step"));
		break;
	}
	return is_block ? "canary" : "default";
}

static cJSON *dns_path(const struct explain *e)
{
	static const char *const kept[] = { "outcome", "mode", "text", "alias", "judges_answer" };
	cJSON *path, *steps;
	const char *outcome;
	bool is_block;

	if (e->is_literal)
		return cJSON_CreateNull();
	path = new_path("dnsd", e->dns_error);
	if (!e->dns)
		return path;
	outcome = cJSON_GetStringValue(json_get(e->dns, "outcome"));
	is_block = !outcome || !strcmp(outcome, "block") || !strcmp(outcome, "silence");
	steps = cJSON_Duplicate(json_get(e->dns, "steps"), true);
	cJSON_AddItemToObject(path, "steps", steps);
	cJSON_AddStringToObject(path, "verdict", is_block ? "block" : "allow");
	cJSON_AddStringToObject(path, "by", find_dns_step(steps, is_block));
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const cJSON *item = json_get(e->dns, kept[i]);

		if (item)
			cJSON_AddItemToObject(path, kept[i], cJSON_Duplicate(item, true));
	}
	add_owners(e, path);
	return path;
}

static cJSON *web_path(const struct explain *e, const char *name)
{
	cJSON *path = new_path("proxyd", e->web_error), *item;
	const cJSON *from = json_get(e->web, name);

	cJSON_ArrayForEach (item, from)
		cJSON_AddItemToObject(path, item->string, cJSON_Duplicate(item, true));
	add_owners(e, path);
	return path;
}

/* ---- what comes of it ---- */

static void set_final(cJSON *out, const char *verdict, const char *layer, const cJSON *by)
{
	const char *step = cJSON_GetStringValue(by);

	cJSON_AddStringToObject(out, "verdict", verdict);
	cJSON_AddStringToObject(out, "layer", layer);
	if (step)
		cJSON_AddStringToObject(out, "by", step);
}

/* Who cannot say it has to be asked again: nothing is supposed. */
static bool is_unknown(const cJSON *path)
{
	return json_get(path, "unavailable");
}

/* An app: it asks dnsd for the name, then its connection is intercepted. */
static cJSON *judge_apps(const struct explain *e, const cJSON *dns, const cJSON *web)
{
	const char *dns_verdict = cJSON_GetStringValue(json_get(dns, "verdict"));
	const char *verdict = cJSON_GetStringValue(json_get(web, "verdict"));
	cJSON *out = cJSON_CreateObject();

	if (dns_verdict && !strcmp(dns_verdict, "block"))
		set_final(out, "block", "dns", json_get(dns, "by"));
	else if (is_unknown(dns) || is_unknown(web) || (e->is_literal && e->reach_error))
		cJSON_AddStringToObject(out, "verdict", "not known");
	else if (e->is_literal && !cJSON_IsTrue(json_get(e->reach, "allowed")))
		set_final(out, "block", "firewall", NULL);
	else if (verdict)
		set_final(out, verdict, "intercept", json_get(web, "by"));
	else
		set_final(out, "allow", "firewall", NULL); /* not intercepted */
	return out;
}

static cJSON *judge_proxy(const cJSON *web)
{
	const char *verdict = cJSON_GetStringValue(json_get(web, "verdict"));
	cJSON *out = cJSON_CreateObject();

	if (verdict)
		set_final(out, verdict, "proxy", json_get(web, "by"));
	else
		cJSON_AddStringToObject(out, "verdict", "not known");
	return out;
}

/* ---- the device ---- */

static cJSON *describe_device(const struct explain *e)
{
	static const char *const kept[] = { "id", "name", "user", "group", "tunnel", "addresses",
		"profile", "site_scope", "unknown_sites" };
	const struct table_row *row =
		table_find(store_table(e->a->store, TOPIC_devices), e->device);
	cJSON *json = row ? json_parse(row->text, row->len) : NULL, *out = cJSON_CreateObject();
	enum entitlement t = store_entitlement(e->a->store, e->device);

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const cJSON *item = json_get(json, kept[i]);

		if (item)
			cJSON_AddItemToObject(out, kept[i], cJSON_Duplicate(item, true));
	}
	cJSON_AddBoolToObject(out, "entitled", t == ENTITLED);
	cJSON_AddStringToObject(out, "entitlement", entitlement_text(t));
	cJSON_Delete(json);
	return out;
}

static cJSON *put_together(const struct explain *e)
{
	cJSON *out = cJSON_CreateObject(), *paths, *final, *reach;
	cJSON *dns = dns_path(e), *intercept = web_path(e, "intercept");
	cJSON *proxy = web_path(e, "proxy");
	const cJSON *addresses = json_get(e->web, "addresses");

	cJSON_AddItemToObject(out, "device", describe_device(e));
	cJSON_AddStringToObject(out, "url", e->url);
	cJSON_AddStringToObject(out, "host", e->host);
	cJSON_AddNumberToObject(out, "at", (double)e->at);
	final = cJSON_AddObjectToObject(out, "verdicts");
	cJSON_AddItemToObject(final, "apps", judge_apps(e, dns, intercept));
	cJSON_AddItemToObject(final, "browser", judge_proxy(proxy));
	paths = cJSON_AddObjectToObject(out, "paths");
	cJSON_AddItemToObject(paths, "dns", dns);
	cJSON_AddItemToObject(paths, "intercept", intercept);
	cJSON_AddItemToObject(paths, "proxy", proxy);
	cJSON_AddItemToObject(out, "addresses",
		addresses ? cJSON_Duplicate(addresses, true) : cJSON_CreateArray());
	if (e->is_literal) {
		reach = new_path("fwd", e->reach_error);
		if (e->reach)
			cJSON_AddBoolToObject(
				reach, "allowed", cJSON_IsTrue(json_get(e->reach, "allowed")));
		cJSON_AddItemToObject(out, "firewall", reach);
	}
	return out;
}

/* ---- asking ---- */

static void finish(struct explain *e)
{
	e->on_done(e->arg, put_together(e));
	cJSON_Delete(e->dns);
	cJSON_Delete(e->web);
	cJSON_Delete(e->reach);
	free(e->url);
	free(e);
}

static const char *fault(int status, const cJSON *result)
{
	const char *code =
		status == -EREMOTEIO ? cJSON_GetStringValue(json_get(result, "code")) : NULL;

	if (code && !strcmp(code, "unknown_device"))
		return "it does not know the device (yet)";
	if (code && !strcmp(code, "bad_url"))
		return "this is no web address";
	return code ? "it cannot say" : "it does not answer";
}

static void take(
	struct explain *e, int status, const cJSON *result, cJSON **out, const char **error)
{
	if (!status)
		*out = cJSON_Duplicate(result, true);
	if (!*out)
		*error = fault(status, result);
	if (!--e->pending)
		finish(e);
}

static void on_dns(void *arg, int status, const cJSON *result)
{
	struct explain *e = arg;

	take(e, status, result, &e->dns, &e->dns_error);
}

static void on_web(void *arg, int status, const cJSON *result)
{
	struct explain *e = arg;

	take(e, status, result, &e->web, &e->web_error);
}

static void on_reach(void *arg, int status, const cJSON *result)
{
	struct explain *e = arg;

	take(e, status, result, &e->reach, &e->reach_error);
}

/* The answer comes later; *error when there will be none. */
static void ask(struct explain *e, enum bus_op op, cJSON *args,
	void (*on_reply)(void *arg, int status, const cJSON *result), const char **error)
{
	const struct table_row *row =
		table_find(store_table(e->a->store, TOPIC_devices), e->device);
	const struct gateway *at = gateways_of_row(e->a->gateways, row ? row->text : NULL);

	if (!bus_request(at->bus, op, args, on_reply, e))
		e->pending++;
	else
		*error = fault(-ENOTCONN, NULL);
}

static void ask_dns(struct explain *e, const char *type)
{
	cJSON *args = cJSON_CreateObject();

	cJSON_AddStringToObject(args, "device", e->device);
	cJSON_AddStringToObject(args, "name", e->host);
	if (type)
		cJSON_AddStringToObject(args, "type", type);
	cJSON_AddNumberToObject(args, "at", (double)e->at);
	ask(e, REQUEST_dnsd_explain, args, on_dns, &e->dns_error);
}

static void ask_web(struct explain *e, const char *page)
{
	cJSON *args = cJSON_CreateObject();

	cJSON_AddStringToObject(args, "device", e->device);
	cJSON_AddStringToObject(args, "url", e->url);
	if (page)
		cJSON_AddStringToObject(args, "page", page);
	cJSON_AddNumberToObject(args, "at", (double)e->at);
	ask(e, REQUEST_proxyd_explain, args, on_web, &e->web_error);
}

/* The device's own address of that family; false: it has none. */
static bool find_source(const struct explain *e, char out[static ADDR_STRLEN])
{
	const struct table_row *row =
		table_find(store_table(e->a->store, TOPIC_devices), e->device);
	cJSON *json = row ? json_parse(row->text, row->len) : NULL;
	const cJSON *item;
	bool found = false;

	cJSON_ArrayForEach (item, json_get(json, "addresses")) {
		struct addr a;

		if (found || addr_parse(item->valuestring, &a) || a.family != e->address.family)
			continue;
		addr_format(&a, out);
		found = true;
	}
	cJSON_Delete(json);
	return found;
}

static void ask_reach(struct explain *e)
{
	char source[ADDR_STRLEN], to[ADDR_STRLEN];
	cJSON *args;

	if (!find_source(e, source)) {
		e->reach_error = "the device has no address of that family";
		return;
	}
	addr_format(&e->address, to);
	args = cJSON_CreateObject();
	cJSON_AddStringToObject(args, "source", source);
	cJSON_AddStringToObject(args, "address", to);
	ask(e, REQUEST_fwd_reach, args, on_reach, &e->reach_error);
}

int explain_start(struct api *a, const struct explain_question *q,
	void (*on_done)(void *arg, cJSON *json), void *arg)
{
	struct explain *e = calloc(1, sizeof(*e));

	if (!e || !(e->url = strdup(q->url))) {
		free(e);
		return -ENOMEM;
	}
	e->a = a;
	e->at = q->at ? q->at : clock_wall_ms();
	e->on_done = on_done;
	e->arg = arg;
	snprintf(e->device, sizeof(e->device), "%s", q->device);
	take_host(e->url, e->host);
	e->is_literal = !addr_parse(e->host, &e->address);
	ask_web(e, q->page);
	if (e->is_literal)
		ask_reach(e);
	else
		ask_dns(e, q->type);
	if (!e->pending)
		finish(e);
	return 0;
}
