/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/ui_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is asked ---- */

const char *call_param(const struct call *c, const char *name)
{
	return uri_param(&c->uri, name);
}

bool call_param_int(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out)
{
	const char *text = call_param(c, name);
	char *end, why[96];
	long long n;

	if (!text)
		return true;
	errno = 0;
	n = strtoll(text, &end, 10);
	if (text[0] && text[0] != ' ' && text[0] != '+' && !*end && !errno && n >= min &&
		n <= max) {
		*out = n;
		return true;
	}
	snprintf(why, sizeof(why), "is no number of %lld to %lld", (long long)min, (long long)max);
	call_invalid(c, name, why);
	return false;
}

bool call_may_see(const struct call *c, const char *group)
{
	return group_set_has(c->actor.groups, group);
}

bool call_may_see_user(struct call *c, const char *user)
{
	const struct table *devices = store_table(c->api->store, TOPIC_devices);

	if (!c->actor.groups)
		return true;
	if (!c->has_users)
		hmap_init(&c->users, NULL);
	for (size_t i = 0; !c->has_users && i < devices->n; i++) {
		const struct table_row *row = devices->sorted[i];

		if (row->user && call_may_see(c, row->group))
			hmap_set_str(&c->users, row->user, c);
	}
	c->has_users = true;
	return user && hmap_find_str(&c->users, user);
}

void call_by(const struct call *c, struct store_actor *by)
{
	*by = (struct store_actor){ 0 };
	switch (c->actor.kind) {
	case ACTOR_SESSION:
		snprintf(by->name, sizeof(by->name), "admin:%s", c->actor.name);
		break;
	case ACTOR_TOKEN:
		snprintf(by->name, sizeof(by->name), "token:%s of %s", c->actor.token_id,
			c->actor.name);
		break;
	case ACTOR_DEVICE:
		snprintf(by->name, sizeof(by->name), "device:%s", c->actor.name);
		break;
	case ACTOR_NONE:
		snprintf(by->name, sizeof(by->name), "nobody");
		break;
	}
	addr_format(&c->x.client, by->address);
}

/* ---- answers ---- */

/* Pages have no script, and style of ours alone; nobody frames us (CSP 3). */
#define CSP                                                                                        \
	"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "              \
	"frame-ancestors 'none'"

/* Of what is no page. */
#define CSP_DATA "default-src 'none'; frame-ancestors 'none'"

void call_add_security(
	const struct call *c, struct http_head *h, const char *csp, const char *cache)
{
	http_head_add(h, "Cache-Control", cache);
	http_head_add(h, "X-Content-Type-Options", "nosniff");
	http_head_add(h, "Content-Security-Policy", csp);
	http_head_add(h, "Referrer-Policy", "no-referrer");
	if (c->x.is_secure)
		http_head_add(h, "Strict-Transport-Security", "max-age=31536000");
}

/* Is etag in the list of If-None-Match (RFC 9110 13.1.2)? */
static bool has_it(const struct call *c, const char *etag)
{
	const struct http_head *head = exchange_head(&c->x);
	const char *list = head ? http_head_get(head, "if-none-match") : NULL;

	return list && (strstr(list, etag) || !strcmp(list, "*"));
}

void call_text_with(struct call *c, int status, const char *type, const char *text, size_t len,
	const char *etag, const struct http_head *extra)
{
	bool is_page = type && !strncmp(type, "text/html", 9);
	struct http_head h;

	http_head_init(&h);
	call_add_security(c, &h, is_page ? CSP : CSP_DATA, "no-store");
	for (size_t i = 0; extra && i < extra->n_headers; i++)
		http_head_add(&h, extra->headers[i].name, extra->headers[i].value);
	if (etag)
		http_head_add(&h, "ETag", etag);
	if (etag && status == 200 && c->route && !strcmp(c->route->method, "GET") &&
		has_it(c, etag))
		exchange_answer(&c->x, 304, &h, NULL, NULL, 0);
	else
		exchange_answer(&c->x, status, &h, type, text, len);
	http_head_fini(&h);
}

void call_text(struct call *c, int status, const char *type, const char *text, size_t len)
{
	call_text_with(c, status, type, text, len, NULL, NULL);
}

static void answer_json(struct call *c, int status, cJSON *json, bool is_tagged)
{
	char *text = json ? json_format(json) : NULL, etag[19];

	cJSON_Delete(json);
	if (text && is_tagged)
		table_etag(text, strlen(text), etag);
	if (text)
		call_text_with(c, status, "application/json", text, strlen(text),
			is_tagged ? etag : NULL, NULL);
	else
		call_problem(c, 503, "no memory");
	if (text)
		explicit_bzero(text, strlen(text)); /* it may have held a new secret */
	free(text);
}

void call_json(struct call *c, int status, cJSON *json)
{
	answer_json(c, status, json, false);
}

void call_json_tagged(struct call *c, int status, cJSON *json)
{
	answer_json(c, status, json, true);
}

bool call_wants_page(const struct call *c)
{
	const struct http_head *head = exchange_head(&c->x);
	const char *accept = head ? http_head_get(head, "accept") : NULL;
	const char *page = accept ? strstr(accept, "text/html") : NULL;
	const char *json = accept ? strstr(accept, "application/json") : NULL;

	return page && (!json || page < json);
}

void call_page(struct call *c, int status, const char *title, const char *body,
	const struct http_head *extra)
{
	struct buf out;

	buf_init(&out, 16384);
	buf_printf(&out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s</title>\n"
		"<link rel=\"stylesheet\" href=\"/ui/%s/public/page.css\">\n"
		"</head>\n<body>\n<main>\n<h1>%s</h1>\n%s</main>\n</body>\n</html>\n",
		title, ui_version, title, body);
	if (out.failed)
		call_problem(c, 503, "no memory");
	else
		call_text_with(c, status, "text/html; charset=utf-8", (char *)out.data, out.len,
			NULL, extra);
	buf_fini(&out);
}

void call_empty(struct call *c, int status)
{
	call_text(c, status, NULL, NULL, 0);
}

static void answer_problem(
	struct call *c, int status, cJSON *json, const char *detail, const struct http_head *extra)
{
	char *text;

	cJSON_AddStringToObject(json, "type", "about:blank");
	cJSON_AddStringToObject(json, "title", http_status_text(status));
	cJSON_AddNumberToObject(json, "status", status);
	if (detail)
		cJSON_AddStringToObject(json, "detail", detail);
	text = json_format(json);
	cJSON_Delete(json);
	call_text_with(c, status, "application/problem+json", text ? text : "{}",
		text ? strlen(text) : 2, NULL, extra);
	free(text);
}

void call_problem(struct call *c, int status, const char *detail)
{
	answer_problem(c, status, cJSON_CreateObject(), detail, NULL);
}

void call_problem_later(struct call *c, int status, const char *detail, unsigned retry_s)
{
	struct http_head extra;
	char number[16];

	http_head_init(&extra);
	snprintf(number, sizeof(number), "%u", retry_s);
	http_head_add(&extra, "Retry-After", number);
	answer_problem(c, status, cJSON_CreateObject(), detail, &extra);
	http_head_fini(&extra);
}

void call_problem_code(struct call *c, int status, const char *code, const char *detail)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "code", code);
	answer_problem(c, status, json, detail, NULL);
}

void call_unfit(struct call *c, int r, const struct body_error *err)
{
	if (r == -ENOMEM)
		call_problem_later(c, 503, "no memory", 5);
	else
		call_invalid(c, err->pointer, err->reason);
}

void call_invalid(struct call *c, const char *pointer, const char *reason)
{
	cJSON *json = cJSON_CreateObject(), *errors = cJSON_AddArrayToObject(json, "errors");
	cJSON *error = cJSON_CreateObject();
	char detail[400];

	cJSON_AddStringToObject(error, "pointer", pointer);
	cJSON_AddStringToObject(error, "reason", reason);
	cJSON_AddItemToArray(errors, error);
	snprintf(
		detail, sizeof(detail), "%.160s %.200s", pointer[0] ? pointer : "the body", reason);
	answer_problem(c, 400, json, detail, NULL);
}

void call_failed(struct call *c, int status, const char *why)
{
	switch (status) {
	case -EEXIST:
		call_problem(c, 409, why ? why : "it belongs to another one");
		break;
	case -ENOENT:
		call_problem(c, 404, why ? why : "there is no such record");
		break;
	case -EPERM:
		call_problem(c, 403, why ? why : "it is not in a group of yours");
		break;
	case -EINVAL:
		call_problem(c, 400, why ? why : "the database refuses it");
		break;
	case -ESTALE:
		call_problem(c, 412, why ? why : "it has changed meanwhile");
		break;
	case -EAGAIN:
		call_problem_later(c, 503, "another change is under way", 1);
		break;
	case -ENOMEM:
		call_problem_later(c, 503, "no memory", 5);
		break;
	default:
		call_problem_later(c, 503, "the database does not answer", 2);
	}
}
