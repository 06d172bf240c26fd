/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/explain.h"
#include "common/policy/explain.h"
#include "common/policy/safe_search.h"
#include "common/timer.h"
#include "proxyd/connect.h"
#include "proxyd/exchange.h"
#include "proxyd/gateway.h"
#include "proxyd/names.h"
#include "proxyd/own.h"
#include "proxyd/search.h"
#include "proxyd/search_url.h"
#include "proxyd/sni.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One question while the name is resolved. */
struct explain {
	struct proxy *p;
	struct bus_call *call;
	char device[65], page[254];
	char url[2049];
	struct target target;
	int64_t at;
};

/* What is being said of one path. */
struct way {
	struct explain *e;
	struct device_view *v;
	cJSON *json, *steps;
	struct decision d;
	const char *by; /* NULL: nothing has refused it */
	const char *verdict;
	bool is_decrypted, is_own;
};

static bool is_allowed(const struct decision *d)
{
	return d->verdict == VERDICT_ALLOW || d->verdict == VERDICT_PASS;
}

/* ---- the policy ---- */

static void make_query(
	const struct explain *e, enum policy_path path, bool host_only, struct policy_query *out)
{
	const char *rest = host_only ? NULL : e->target.path;

	*out = (struct policy_query){ .path = path,
		.host = e->target.host,
		.host_len = strlen(e->target.host),
		.rest = rest,
		.rest_len = rest ? strcspn(rest, "#") : 0 };
	if (e->page[0] && !host_only) {
		out->page_host = e->page;
		out->page_host_len = strlen(e->page);
	}
}

static void on_step(void *arg, const char *step, bool decided, const struct decision *d)
{
	struct way *w = arg;

	if (decided && !w->by)
		w->by = step;
	explain_on_step(w->steps, step, decided, d);
}

static void judge(struct way *w, const struct policy_query *q)
{
	struct proxy *p = w->e->p;

	policy_explain(p->policy, w->v, q, w->e->at, on_step, w);
	policy_decide(p->policy, w->v, q, w->e->at, &w->d);
	w->verdict = verdict_text(w->d.verdict);
}

/* A step of proxyd's own that refuses, where nothing did so far. */
static void refuse(struct way *w, const char *step, const char *reason, const char *rule)
{
	bool decided = is_allowed(&w->d) && strcmp(w->verdict, "block") != 0;

	explain_add(w->steps, step, decided, decided ? "block" : NULL, reason, rule);
	if (!decided)
		return;
	w->by = step;
	w->verdict = "block";
}

static bool is_going_on(const struct way *w)
{
	return is_allowed(&w->d) && strcmp(w->verdict, "block") != 0;
}

/* ---- the two ways ---- */

static bool is_for_gateway(struct way *w)
{
	struct own_visit visit;
	const struct explain *e = w->e;

	w->is_own = w->v->address_count &&
		    own_is_asked(&visit, e->p, &w->v->addresses[0], &e->target, e->target.path);
	if (w->is_own) {
		explain_add(
			w->steps, "gateway", true, "allow", "answered by the gateway itself", NULL);
		w->verdict = "allow";
		w->by = "gateway";
	}
	return w->is_own;
}

static void explain_intercept(struct way *w)
{
	const struct explain *e = w->e;
	bool is_https = e->target.is_https;
	const struct sni_question sni = { .host = e->target.host };
	struct policy_query q;
	struct decision d;
	const char *obstacle;

	if (e->target.port != (is_https ? 443 : 80)) {
		cJSON_AddBoolToObject(w->json, "acts", false);
		explain_add(w->steps, "port", false, NULL, "only ports 80 and 443 are intercepted",
			NULL);
		return;
	}
	cJSON_AddBoolToObject(w->json, "acts", true);
	if (!is_https && is_for_gateway(w))
		return;
	make_query(e, POLICY_PATH_INTERCEPT, is_https, &q);
	judge(w, &q);
	if (!is_https)
		return;
	obstacle = sni_find_obstacle(e->p, w->v, &sni, e->at, &d);
	if (obstacle && *obstacle)
		refuse(w, "encrypted DNS", obstacle, e->target.host);
	else
		explain_add(w->steps, "encrypted DNS", false, NULL, NULL, NULL);
	if (sni_is_ech_public(e->p, e->target.host))
		explain_add(w->steps, "hidden name", false, NULL,
			"refused when the name within is encrypted (ECH)", e->target.host);
}

static void explain_search(struct way *w)
{
	const struct explain *e = w->e;
	char term[256] = "";

	if (!search_is_host(e->target.host) || !is_going_on(w))
		return;
	if (w->d.reason == REASON_OVERRIDE) {
		explain_add(w->steps, "search words", false, NULL, "an override goes before them",
			NULL);
		return;
	}
	switch (search_judge_path(e->p, e->target.host, e->target.path, term, sizeof(term))) {
	case SEARCH_PASSES:
		explain_add(w->steps, "search words", false, NULL, NULL, NULL);
		break;
	case SEARCH_BLOCKED:
		refuse(w, "search words", "search word", term);
		break;
	case SEARCH_UNKNOWN:
		refuse(w, "search words", "no search words are known yet", NULL);
		break;
	case SEARCH_TOO_LONG:
		refuse(w, "search words", "too long to be judged", NULL);
		break;
	}
}

static void explain_content(struct way *w)
{
	static const char *const forms[SAFE_FORMS] = { "google", "bing", "duckduckgo", "youtube",
		"youtube moderate" };
	const struct rec_safe_search *want = device_safe_search(w->v);
	const char *host = w->e->target.host;
	enum safe_form form = want ? safe_search_find(want, host, strlen(host)) : SAFE_FORMS;

	cJSON_AddStringToObject(w->json, "images", w->d.hide_images ? "hide" : "show");
	cJSON_AddStringToObject(w->json, "words", w->d.mask_words ? "hide" : "show");
	if (form != SAFE_FORMS)
		cJSON_AddStringToObject(w->json, "safe_search", forms[form]);
}

static void explain_proxy(struct way *w)
{
	const struct explain *e = w->e;
	bool is_https = e->target.is_https, is_blind = false;
	struct policy_query q;
	struct decision d = { 0 };

	cJSON_AddBoolToObject(w->json, "acts", true);
	if (is_https) {
		make_query(e, POLICY_PATH_PROXY, true, &q);
		policy_decide(e->p->policy, w->v, &q, e->at, &d);
		is_blind = pins_is_blind(e->p, w->v, e->target.host, &d);
	}
	if (!is_blind && is_for_gateway(w))
		return;
	make_query(e, POLICY_PATH_PROXY, is_blind, &q);
	judge(w, &q);
	if (!exchange_may_ask_port(e->p->conf, is_https, e->target.port))
		refuse(w, "port", "this port may not be connected to", NULL);
	w->is_decrypted = !is_blind;
	explain_add(w->steps, "decryption", false, NULL,
		!is_blind      ? "decrypted"
		: d.no_decrypt ? "passed through undecrypted: by its category or the names not "
				 "decrypted"
			       : "passed through undecrypted: an app refuses the certificate",
		NULL);
	if (is_blind)
		return;
	explain_search(w);
	explain_content(w);
}

/* ---- where it would connect ---- */

static size_t add_addresses(
	struct explain *e, struct device_view *v, cJSON *result, const struct addr *addrs, size_t n)
{
	cJSON *all = cJSON_AddArrayToObject(result, "addresses");
	size_t allowed = 0;

	for (size_t i = 0; i < n; i++) {
		const struct endpoint to = { .addr = addrs[i], .port = e->target.port };
		const char *why = connect_check_view(e->p, v, e->target.host, &to);
		char text[ADDR_STRLEN];
		cJSON *one = cJSON_CreateObject();

		addr_format(&addrs[i], text);
		cJSON_AddStringToObject(one, "address", text);
		cJSON_AddBoolToObject(one, "allowed", !why);
		if (why)
			cJSON_AddStringToObject(one, "why", why);
		cJSON_AddItemToArray(all, one);
		allowed += !why;
	}
	return allowed;
}

static void judge_addresses(struct way *w, int status, size_t n, size_t allowed, const cJSON *all)
{
	const char *why = cJSON_GetStringValue(json_get(cJSON_GetArrayItem(all, 0), "why"));

	if (w->is_own)
		return;
	if (status)
		explain_add(w->steps, "firewall", false, NULL, "the name has no address", NULL);
	else if (n && !allowed)
		refuse(w, "firewall", why, w->v->profile);
	else
		explain_add(w->steps, "firewall", false, NULL, NULL, w->v->profile);
}

static void finish_way(struct way *w, cJSON *result, const char *name)
{
	if (w->verdict)
		cJSON_AddStringToObject(w->json, "verdict", w->verdict);
	if (w->by)
		cJSON_AddStringToObject(w->json, "by", w->by);
	if (w->is_own)
		cJSON_AddTrueToObject(w->json, "own");
	cJSON_AddBoolToObject(w->json, "decrypted", w->is_decrypted);
	cJSON_AddItemToObject(result, name, w->json);
}

static void explain_way(struct explain *e, struct device_view *v, const char *name,
	void (*explain)(struct way *w), int status, size_t n, size_t allowed, cJSON *result)
{
	struct way w = { .e = e, .v = v, .json = cJSON_CreateObject() };

	w.steps = cJSON_AddArrayToObject(w.json, "steps");
	explain(&w);
	if (w.verdict)
		judge_addresses(&w, status, n, allowed, json_get(result, "addresses"));
	finish_way(&w, result, name);
}

static void on_resolved(void *arg, int status, const struct addr *addrs, size_t n)
{
	struct explain *e = arg;
	struct device_view *found = e->p->dir ? directory_find_id(e->p->dir, e->device) : NULL;
	struct device_view v;
	cJSON *result;
	size_t allowed;

	if (!found || status == -ECANCELED) {
		bus_call_fail(e->call, "unknown_device", e->device);
		free(e);
		return;
	}
	directory_view_at(e->p->dir, found, e->at, &v);
	result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "host", e->target.host);
	cJSON_AddNumberToObject(result, "port", e->target.port);
	cJSON_AddBoolToObject(result, "https", e->target.is_https);
	allowed = add_addresses(e, &v, result, addrs, status ? 0 : n);
	explain_way(e, &v, "intercept", explain_intercept, status, n, allowed, result);
	explain_way(e, &v, "proxy", explain_proxy, status, n, allowed, result);
	bus_call_reply(e->call, result);
	free(e);
}

static void on_explain(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	const struct rec_web_explain *a = args;
	struct proxy *p = arg;
	struct explain *e;

	(void)caller;
	if (!p->dir || !directory_find_id(p->dir, a->device)) {
		bus_call_fail(call, "unknown_device", a->device);
		return;
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		bus_call_fail(call, "busy", "no memory");
		return;
	}
	e->p = p;
	e->call = call;
	e->at = rec_has(a, web_explain, at) ? a->at : clock_wall_ms();
	snprintf(e->device, sizeof(e->device), "%s", a->device);
	snprintf(e->page, sizeof(e->page), "%s", a->page ? a->page : "");
	snprintf(e->url, sizeof(e->url), "%s", a->url);
	if (target_parse_url(e->url, &e->target)) {
		bus_call_fail(call, "bad_url", a->url);
		free(e);
	} else if (!names_start(p->names, e->target.host, on_resolved, e)) {
		bus_call_fail(call, "busy", "no memory");
		free(e);
	}
}

int explain_serve(struct proxy *p)
{
	return bus_serve(p->d->bus, REQUEST_proxyd_explain, on_explain, p);
}
