/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/judge.h"
#include "common/timer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* After CONNECT: the target is a path, and all names must agree (SPEC P15). */
static const char *find_inner(struct exchange *x, const struct http_head *head, int *status)
{
	const struct session *s = x->s;
	const char *host_header = http_head_get(head, "Host");
	struct target host;

	x->target = s->target;
	x->target.path = head->target;
	if (*head->target != '/' && strcmp(head->target, "*") != 0)
		return "The request's target must be a path.";
	/* HTTP/1.0 may leave it out. */
	host = s->target;
	if (host_header && target_parse_host(host_header, s->target.is_https ? 443 : 80, &host))
		return "The Host header is wrong.";
	*status = 421;
	if (s->is_mismatched || strcmp(host.host, s->target.host) != 0 ||
		host.port != s->target.port)
		return "The request is for another website than its connection.";
	return NULL;
}

static const char *find_absolute(struct exchange *x, const struct http_head *head, int *status)
{
	const char *host_header = http_head_get(head, "Host");
	struct target host;

	if (target_parse_url(head->target, &x->target))
		return "The request's target is not a web address.";
	/* RFC 9112 3.2.4 */
	if (!strcmp(head->method, "OPTIONS") && strchr(head->target + 8, '/') == NULL)
		x->target.path = "*";
	if (x->target.is_https)
		return "Websites with https are reached by CONNECT.";
	if (host_header && target_parse_host(host_header, 80, &host))
		return "The Host header is wrong.";
	*status = 421;
	if (host_header && (strcmp(host.host, x->target.host) != 0 || host.port != x->target.port))
		return "The Host header names another website than the request's target.";
	return NULL;
}

/* As a web server gets it: Host names the site, and is there (SPEC P3). */
static const char *find_intercepted(struct exchange *x, const struct http_head *head, int *status)
{
	const char *host_header = http_head_get(head, "Host");
	uint16_t port = x->s->original.port;
	struct target host;

	if (!host_header || target_parse_host(host_header, port, &host))
		return "The Host header is wrong.";
	if (*head->target == '/' || !strcmp(head->target, "*")) {
		x->target = host;
		x->target.path = head->target;
	} else if (target_parse_url(head->target, &x->target) || x->target.is_https) {
		return "The request's target must be a path.";
	}
	*status = 421;
	if (strcmp(host.host, x->target.host) != 0 || host.port != x->target.port)
		return "The Host header names another website than the request's target.";
	if (host.port != port)
		return "The request is for another port than its connection.";
	return NULL;
}

static const char *find_target(struct exchange *x, const struct http_head *head, int *status)
{
	if (session_is_intercepted(x->s))
		return find_intercepted(x, head, status);
	return x->s->is_inner ? find_inner(x, head, status) : find_absolute(x, head, status);
}

const char *judge_target(struct exchange *x, const struct http_head *head, int *status)
{
	const char *why;

	*status = 400;
	why = find_target(x, head, status);
	if (why)
		return why;
	/* A fragment is for the browser; servers do not agree on what one that is sent belongs to.
	 */
	x->path = strndup(x->target.path, strcspn(x->target.path, "#"));
	x->target.path = NULL;
	*status = 503;
	return x->path ? NULL : "The gateway has no memory left.";
}

void judge_make_url(struct exchange *x)
{
	bool is_default = x->target.port == (x->target.is_https ? 443 : 80);
	bool v6 = strchr(x->target.host, ':');
	char port[8] = "";

	if (!is_default)
		snprintf(port, sizeof(port), ":%u", x->target.port);
	snprintf(x->url, sizeof(x->url), "%s://%s%s%s%s%s", x->target.is_https ? "https" : "http",
		v6 ? "[" : "", x->target.host, v6 ? "]" : "", port, x->path ? x->path : "/");
}

bool judge_find_page(const struct http_head *head, struct target *out)
{
	const char *dest = http_head_get(head, "Sec-Fetch-Dest");
	const char *page = http_head_get(head, "Referer");

	if (dest && !strcmp(dest, "document"))
		return false;
	if (!page)
		page = http_head_get(head, "Origin");
	return page && !target_parse_url(page, out);
}

void judge_decide(const struct exchange *x, bool host_only, struct decision *out)
{
	struct proxy *p = x->p;
	struct target page;
	const char *rest = host_only ? NULL : *x->path == '/' ? x->path : "/"; /* of OPTIONS * */
	struct policy_query q = {
		.path = session_is_intercepted(x->s) ? POLICY_PATH_INTERCEPT : POLICY_PATH_PROXY,
		.host = x->target.host,
		.host_len = strlen(x->target.host),
		.rest = rest,
		.rest_len = rest ? strlen(rest) : 0,
	};
	if (!host_only && judge_find_page(http_request_head(x->req), &page)) {
		q.page_host = page.host;
		q.page_host_len = strlen(page.host);
	}

	policy_decide(p->policy, proxy_device(p, &x->s->device), &q, clock_wall_ms(), out);
}

bool judge_is_allowed(const struct decision *d)
{
	return d->verdict == VERDICT_ALLOW || d->verdict == VERDICT_PASS;
}

/* RFC 8484, 8427 and 9230 (oblivious), and what resolvers call JSON. */
static bool is_dns_type(const char *value)
{
	static const char *const types[] = { "application/dns-message", "application/dns-json",
		"application/dns+json", "application/oblivious-dns-message" };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (strcasestr(value, types[i]))
			return true;
	}
	return false;
}

static bool has_dns_type(const struct http_head *head, const char *name)
{
	for (size_t i = 0; (i = http_head_find(head, name, i)) < head->n_headers; i++) {
		if (is_dns_type(head->headers[i].value))
			return true;
	}
	return false;
}

bool judge_is_dns_message(const struct http_head *head)
{
	return has_dns_type(head, "Content-Type");
}

bool judge_asks_for_dns(const struct http_head *head)
{
	return judge_is_dns_message(head) || has_dns_type(head, "Accept");
}

int64_t judge_hops_left(const struct http_head *head)
{
	const char *text = http_head_get(head, "Max-Forwards");

	if (!text || strcmp(head->method, "OPTIONS") != 0 || !*text || strlen(text) > 9 ||
		text[strspn(text, "0123456789")])
		return -1;
	return strtol(text, NULL, 10);
}

bool judge_is_websocket(const struct http_head *head)
{
	const char *protocol = http_head_get(head, "Upgrade");

	return protocol && !strcasecmp(protocol, "websocket") &&
	       (head->status == 101 || (head->method && !strcmp(head->method, "GET")));
}
