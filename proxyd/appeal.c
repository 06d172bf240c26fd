/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/appeal.h"
#include "common/timer.h"
#include "proxyd/appeal_ask.h"
#include "proxyd/appeal_categories.h"
#include "proxyd/appeals.h"
#include "proxyd/gateway.h"
#include "proxyd/page.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SHOWN 2100 /* bytes of a value in a form */

/* What differs between the modes. */
static const struct mode {
	enum text title, about, hint;
} modes[] = {
	[APPEAL_MODE_APPEAL] = { TEXT_APPEAL_TITLE, TEXT_APPEAL_ABOUT, TEXT_REASON_HINT },
	[APPEAL_MODE_REVIEW] = { TEXT_REVIEW_TITLE, TEXT_REVIEW_ABOUT, TEXT_REASON_HINT_REVIEW },
	[APPEAL_MODE_REPORT] = { TEXT_REPORT_TITLE, TEXT_REPORT_ABOUT, TEXT_REASON_HINT_REPORT },
};

/* ---- pages ---- */

static void begin(
	struct page *pg, const struct own_visit *v, const struct http_request *req, enum text title)
{
	page_begin(pg, &v->p->pages, req, title, NULL);
	pg->stays_alone = true;
}

/* "?mode=…&host=…&url=…" as an attribute has it. */
static void append_query(struct buf *b, const struct appeal_ask *ask)
{
	buf_printf(b, "?mode=%s", enum_text(ENUM_ID_appeal_mode, (int)ask->mode));
	if (*ask->host) {
		buf_append_str(b, "&amp;host=");
		html_append_query(b, ask->host);
	}
	if (*ask->url) {
		buf_append_str(b, "&amp;url=");
		html_append_query(b, ask->url);
	}
}

static void add_entry(struct page *pg, const struct appeal_entry *e)
{
	static const enum text statuses[] = {
		[REVIEW_STATUS_PENDING] = TEXT_STATUS_PENDING,
		[REVIEW_STATUS_REJECTED] = TEXT_STATUS_REJECTED,
		[REVIEW_STATUS_APPROVED] = TEXT_STATUS_APPROVED,
	};
	struct buf *b = &pg->html;

	buf_append_str(b, "<li><strong>");
	html_append(b, e->host, SHOWN);
	buf_append_str(b, "</strong>: ");
	page_append_text(pg, statuses[e->status], NULL);
	if (e->answer && *e->answer) {
		buf_append_str(b, "<br><span class=\"soft\">");
		html_append(b, e->answer, SHOWN);
		buf_append_str(b, "</span>");
	}
	buf_append_str(b, "</li>");
}

/* The device's own, newest first; under a website's name only those about it, since that website's
 * scripts could read them. */
static void add_requests(struct page *pg, const struct own_visit *v, const char *device)
{
	const struct list *all = appeals_of(v->p->appeals, device);
	bool any = false;

	for (const struct list *it = all ? all->prev : NULL; it && it != all; it = it->prev) {
		const struct appeal_entry *e = container_of(it, struct appeal_entry, node);
		if (v->is_on_site && strcmp(e->host, v->at.host) != 0)
			continue;
		if (!any) {
			buf_append_str(&pg->html, "<h2>");
			page_append_text(pg, TEXT_REQUESTS_TITLE, NULL);
			buf_append_str(&pg->html, "</h2><ul class=\"requests\">");
		}
		any = true;
		add_entry(pg, e);
	}
	if (any)
		buf_append_str(&pg->html, "</ul>");
}

void appeal_send_error(
	const struct own_visit *v, struct http_request *req, int status, enum text text)
{
	struct page pg;

	begin(&pg, v, req, TEXT_ERROR_TITLE);
	page_add_text(&pg, text, NULL);
	if (page_send(&pg, req, status, NULL))
		http_response_abort(req);
}

/* The result of what was sent, with the way back to the form. */
static void send_result(const struct own_visit *v, struct http_request *req, int status,
	enum text text, const struct appeal_ask *ask)
{
	const struct device_view *dev = proxy_device(v->p, &v->device);
	bool is_good = status == 200;
	struct http_head extra;
	struct page pg;

	begin(&pg, v, req, is_good ? TEXT_SUBMITTED_TITLE : TEXT_ERROR_TITLE);
	page_add_text(&pg, text, NULL);
	page_add_url(&pg, ask->url);
	if (is_good) {
		add_requests(&pg, v, dev->id);
	} else {
		buf_append_str(&pg.html, "<a href=\"");
		html_append(&pg.html, v->p->conf->appeal_path, SHOWN);
		append_query(&pg.html, ask);
		buf_append_str(&pg.html, "\">");
		page_append_text(&pg, TEXT_BACK, NULL);
		buf_append_str(&pg.html, "</a>");
	}
	http_head_init(&extra);
	if (status == 429)
		http_head_add(&extra, "Retry-After", "3600");
	if (page_send(&pg, req, status, &extra))
		http_response_abort(req);
	http_head_fini(&extra);
}

/* ---- the form ---- */

static void add_hidden(struct page *pg, const char *name, const char *value)
{
	if (!*value)
		return;
	buf_printf(&pg->html, "<input type=\"hidden\" name=\"%s\" value=\"", name);
	html_append(&pg->html, value, SHOWN);
	buf_append_str(&pg->html, "\">");
}

static void add_label(struct page *pg, const char *of, enum text text)
{
	buf_printf(&pg->html, "<label for=\"%s\">", of);
	page_append_text(pg, text, NULL);
	buf_append_str(&pg->html, "</label>");
}

static void add_categories(
	struct page *pg, const struct appeal_categories *categories, const char *chosen)
{
	struct buf *b = &pg->html;

	if (!categories->n)
		return;
	add_label(pg, "category_id", TEXT_CATEGORY);
	buf_append_str(b, "<select id=\"category_id\" name=\"category_id\" aria-required=\"true\">"
			  "<option value=\"\">–</option>");
	for (size_t i = 0; i < categories->n; i++) {
		const struct appeal_category *c = &categories->v[i];
		buf_append_str(b, "<option value=\"");
		html_append(b, c->id, SHOWN);
		buf_append_str(b, strcmp(c->id, chosen) ? "\">" : "\" selected>");
		html_append(b, c->name, SHOWN);
		buf_append_str(b, "</option>");
	}
	buf_append_str(b, "</select>");
}

static void add_form(struct page *pg, const struct own_visit *v, const struct appeal_ask *ask,
	const struct appeal_categories *categories, const char *token)
{
	struct buf *b = &pg->html;

	buf_append_str(b, "<form method=\"post\" action=\"");
	html_append(b, v->p->conf->appeal_path, SHOWN);
	buf_append_str(b, "\">");
	add_hidden(pg, "token", token);
	add_hidden(pg, "mode", enum_text(ENUM_ID_appeal_mode, (int)ask->mode));
	add_hidden(pg, "host", ask->host);
	if (*ask->host) {
		add_hidden(pg, "url", ask->url);
	} else {
		add_label(pg, "url", TEXT_ADDRESS);
		buf_append_str(b, "<input id=\"url\" name=\"url\" type=\"text\" inputmode=\"url\" "
				  "autocapitalize=\"none\" spellcheck=\"false\" required "
				  "maxlength=\"2000\">");
	}
	if (ask->mode == APPEAL_MODE_APPEAL)
		add_hidden(pg, "category_id", ask->category_id);
	add_categories(pg, categories, ask->category_id);
	add_label(pg, "reason", TEXT_REASON);
	buf_append_str(b, "<textarea id=\"reason\" name=\"reason\" maxlength=\"2000\" "
			  "placeholder=\"");
	page_append_text(pg, modes[ask->mode].hint, NULL);
	buf_append_str(b, "\"></textarea><button class=\"button\" type=\"submit\">");
	page_append_text(pg, TEXT_SUBMIT, NULL);
	buf_append_str(b, "</button></form>");
}

static void send_form(
	const struct own_visit *v, struct http_request *req, const struct appeal_ask *ask)
{
	const struct device_view *dev = proxy_device(v->p, &v->device);
	struct appeal_categories categories;
	char token[APPEAL_TOKEN_LEN];
	struct page pg;

	if (appeal_token_make(
		    appeals_key(v->p->appeals), dev->id, ask->host, clock_wall_ms(), token) ||
		appeal_categories_init(&categories, v->p->policy, ask->mode)) {
		appeal_send_error(v, req, 503, TEXT_ERROR_STORAGE);
		return;
	}
	begin(&pg, v, req, modes[ask->mode].title);
	pg.forms_to = "'self'";
	page_add_text(&pg, modes[ask->mode].about, NULL);
	page_add_url(&pg, ask->url);
	add_form(&pg, v, ask, &categories, token);
	add_requests(&pg, v, dev->id);
	appeal_categories_fini(&categories);
	if (page_send(&pg, req, 200, NULL))
		http_response_abort(req);
}

/* The gateway's own portal speaks of every host. */
static void redirect_to_gateway(
	const struct own_visit *v, struct http_request *req, const char *query)
{
	char host[GATEWAY_HOST_LEN];
	struct http_head extra;
	struct buf to;

	gateway_link_host(v->p, &v->device, host);
	buf_init(&to, 0);
	buf_printf(&to, "http%s://%s%s?%s", v->at.is_https ? "s" : "", host,
		v->p->conf->appeal_path, query);
	http_head_init(&extra);
	http_head_add(&extra, "Cache-Control", "no-store");
	if (to.failed || http_head_add(&extra, "Location", (const char *)to.data) ||
		http_respond_with(req, 302, &extra, NULL, NULL, 0))
		http_response_abort(req);
	http_head_fini(&extra);
	buf_fini(&to);
}

/* Opened by somebody as a page, not read by another page's script. */
static bool is_navigation(const struct http_head *head)
{
	const char *mode = http_head_get(head, "Sec-Fetch-Mode");
	const char *dest = http_head_get(head, "Sec-Fetch-Dest");

	return (!mode || !strcmp(mode, "navigate")) && (!dest || !strcmp(dest, "document"));
}

/* Where nothing was said it is about the website whose name this stands under. */
static void fill_in(const struct own_visit *v, struct appeal_ask *ask)
{
	bool is_v6;

	if (!*ask->host && v->is_on_site)
		snprintf(ask->host, sizeof(ask->host), "%s", v->at.host);
	if (*ask->url || !*ask->host)
		return;
	is_v6 = strchr(ask->host, ':');
	snprintf(ask->url, sizeof(ask->url), "http%s://%s%s%s/", v->at.is_https ? "s" : "",
		is_v6 ? "[" : "", ask->host, is_v6 ? "]" : "");
}

void appeal_send_form(const struct own_visit *v, struct http_request *req, const char *query)
{
	struct appeal_ask ask;
	enum text wrong = appeal_ask_parse(query, strlen(query), &ask);

	if (!is_navigation(http_request_head(req))) {
		appeal_send_error(v, req, 403, TEXT_ERROR_FOREIGN);
		return;
	}
	if (wrong != TEXTS) {
		appeal_send_error(v, req, 400, wrong);
		return;
	}
	fill_in(v, &ask);
	if (v->is_on_site && strcmp(ask.host, v->at.host) != 0)
		redirect_to_gateway(v, req, query);
	else
		send_form(v, req, &ask);
}

/* ---- what was sent ---- */

/* What the browser says of the page that sent it: it must be this very host's. Browsers that say
 * nothing have the token only. */
static bool is_from_here(const struct own_visit *v, const struct http_head *head)
{
	const char *site = http_head_get(head, "Sec-Fetch-Site");
	const char *page = http_head_get(head, "Origin");
	struct target from;

	if (!is_navigation(head) ||
		(site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0))
		return false;
	if (!page)
		page = http_head_get(head, "Referer");
	if (!page)
		return true;
	return !target_parse_url(page, &from) && !strcmp(from.host, v->at.host) &&
	       from.port == v->at.port && from.is_https == v->at.is_https;
}

/* The token's host: that of the form; "" where the gateway's form left it open. */
static bool is_ours(
	const struct own_visit *v, const struct appeal_ask *ask, const struct device_view *dev)
{
	const char *host = ask->has_host ? ask->host : "";

	if (v->is_on_site && strcmp(host, v->at.host) != 0)
		return false;
	return appeal_token_is_good(
		appeals_key(v->p->appeals), ask->token, dev->id, host, clock_wall_ms());
}

/* 0 = good. */
static int check_category(const struct own_visit *v, const struct appeal_ask *ask)
{
	struct appeal_categories offered;
	bool is_good;

	if (ask->mode == APPEAL_MODE_APPEAL)
		return 0;
	if (appeal_categories_init(&offered, v->p->policy, ask->mode))
		return 503;
	is_good = appeal_categories_has(&offered, ask->category_id);
	appeal_categories_fini(&offered);
	return is_good ? 0 : 400;
}

static int store(
	const struct own_visit *v, const struct appeal_ask *ask, const struct device_view *dev)
{
	const char *const parts[] = { "uuid", ask->token, ask->url, ask->host,
		enum_text(ENUM_ID_appeal_mode, (int)ask->mode), ask->category_id, ask->reason,
		dev->id };
	struct appeal appeal = {
		.url = ask->url,
		.host = ask->host,
		.mode = ask->mode,
		.category_id = ask->category_id,
		.reason = ask->reason,
		.device_id = dev->id,
		.time_ms = clock_wall_ms(),
	};
	int err = appeal_uuid_make(
		appeals_key(v->p->appeals), parts, sizeof(parts) / sizeof(*parts), appeal.uuid);

	return err ? err : appeals_add(v->p->appeals, &appeal);
}

void appeal_take(const struct own_visit *v, struct http_request *req, const char *body, size_t len)
{
	const struct device_view *dev = proxy_device(v->p, &v->device);
	struct appeal_ask ask;
	enum text wrong = appeal_ask_parse(body, len, &ask);
	int status;

	if (!dev) {
		appeal_send_error(v, req, 403, TEXT_ERROR_EXPIRED);
		return;
	}
	status = wrong == TEXT_ERROR_FORM ? 0 : check_category(v, &ask);
	if (status)
		send_result(v, req, status,
			status == 400 ? TEXT_ERROR_CATEGORY : TEXT_ERROR_STORAGE, &ask);
	else if (!is_from_here(v, http_request_head(req)))
		send_result(v, req, 403, TEXT_ERROR_FOREIGN, &ask);
	else if (wrong != TEXTS)
		send_result(v, req, 400, wrong, &ask);
	else if (!is_ours(v, &ask, dev))
		send_result(v, req, 403, TEXT_ERROR_EXPIRED, &ask);
	else if (!*ask.host)
		send_result(v, req, 400, TEXT_ERROR_ADDRESS, &ask);
	else if (!appeals_may_add(v->p->appeals, dev->id))
		send_result(v, req, 429, TEXT_ERROR_TOO_MANY, &ask);
	else if (fill_in(v, &ask), store(v, &ask, dev))
		send_result(v, req, 503, TEXT_ERROR_STORAGE, &ask);
	else
		send_result(v, req, 200, TEXT_SUBMITTED, &ask);
}
