/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_url.h"
#include "common/http.h"
#include "common/timer.h"
#include "syncd/list_decode.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIRECTS_MAX 5
#define HEADER_MS     30000
#define MIN_RATE      1024 /* bytes per second */

struct list_url {
	struct list_url_env env;
	struct list_url_parts at;
	char *etag, *last_modified;
	struct addr addrs[RESOLVER_MAX_ADDRS];
	size_t addr_count, addr_next;
	unsigned redirects;
	struct resolver_query *query;
	struct http_fetch *fetch;
	struct timer soon; /* the result is told from the loop, never from within a call */
	struct list_url_result res;
	void (*on_done)(void *arg, struct list_url_result *res); /* NULL: told or cancelled */
	void *arg;
};

static void on_soon_closed(struct timer *t)
{
	struct list_url *u = t->data;

	free((char *)(uintptr_t)u->res.etag);
	free((char *)(uintptr_t)u->res.last_modified);
	free((char *)(uintptr_t)u->res.coding);
	free(u->res.body);
	free(u->etag);
	free(u->last_modified);
	free(u);
}

static void finish(struct list_url *u)
{
	if (u->on_done)
		timer_start(&u->soon, 0, 0);
}

static void on_soon(struct timer *t)
{
	struct list_url *u = t->data;

	if (u->on_done)
		u->on_done(u->arg, &u->res);
	u->on_done = NULL;
	timer_close(&u->soon, on_soon_closed);
}

__attribute__((format(printf, 3, 4))) static void fail(
	struct list_url *u, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(u->res.error, sizeof(u->res.error), fmt, ap);
	va_end(ap);
	u->res.err = err;
	finish(u);
}

static void connect_next(struct list_url *u);
static void visit(struct list_url *u);

/* Location: an absolute https URL, or a path on the same server. */
static int set_location(struct list_url *u, const char *location)
{
	char url[4608];

	if (*location == '/' && location[1] != '/')
		snprintf(url, sizeof(url), "https://%s%s", u->at.authority, location);
	else
		snprintf(url, sizeof(url), "%s", location);
	return strlen(location) > 4096 ? -EINVAL : list_url_parse(url, &u->at);
}

static void redirect(struct list_url *u, const struct http_head *head)
{
	const char *location = http_head_get(head, "location");

	if (u->redirects++ == REDIRECTS_MAX) {
		fail(u, -ELOOP, "more than %d redirects", REDIRECTS_MAX);
		return;
	}
	if (!location || set_location(u, location)) {
		fail(u, -EPROTO, "redirect to something else than https");
		return;
	}
	visit(u);
}

static void take_body(struct list_url *u, struct http_result *r)
{
	const char *coding = http_head_get(r->head, "content-encoding");
	const char *etag = http_head_get(r->head, "etag");
	const char *modified = http_head_get(r->head, "last-modified");

	u->res.body = (uint8_t *)r->body;
	u->res.len = r->len;
	r->body = NULL;
	u->res.etag = etag ? strdup(etag) : NULL;
	u->res.last_modified = modified ? strdup(modified) : NULL;
	u->res.coding = coding ? strdup(coding) : NULL;
	finish(u);
}

static void on_result(struct http_result *r, void *data)
{
	struct list_url *u = data;

	u->fetch = NULL;
	if (r->err && (r->err == -EMSGSIZE || u->addr_next == u->addr_count)) {
		if (r->verify != TLS_VERIFY_OK)
			fail(u, r->err, "tls: %s", tls_verify_text(r->verify));
		else
			fail(u, r->err, "%s", *r->error ? r->error : strerror(-r->err));
		return;
	}
	if (r->err) {
		connect_next(u);
		return;
	}
	switch (r->head->status) {
	case 200:
		take_body(u, r);
		return;
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		redirect(u, r->head);
		return;
	case 304:
		if (u->etag || u->last_modified) {
			u->res.not_modified = true;
			finish(u);
			return;
		}
	}
	fail(u, -EPROTO, "http status %d", r->head->status);
}

static int make_head(const struct list_url *u, struct http_head *h)
{
	int err;

	http_head_init(h);
	err = http_head_set_request(h, "GET", u->at.target);
	if (!err)
		err = http_head_add(h, "Host", u->at.authority);
	if (!err)
		err = http_head_add(h, "User-Agent", "Culvert/" CULVERT_VERSION);
	if (!err)
		err = http_head_add(h, "Accept", "text/plain, */*");
	if (!err)
		err = http_head_add(h, "Accept-Encoding", LIST_DECODE_CODINGS);
	if (!err && u->etag)
		err = http_head_add(h, "If-None-Match", u->etag);
	if (!err && u->last_modified)
		err = http_head_add(h, "If-Modified-Since", u->last_modified);
	return err;
}

static void connect_next(struct list_url *u)
{
	struct sockaddr_storage to;
	struct http_head head;
	struct http_limits limits = http_default_limits;
	struct http_fetch_options opt = { .to = (struct sockaddr *)&to,
		.tls = u->env.tls,
		.name = u->at.host,
		.head = &head,
		.max_body = u->env.bytes_max,
		.total_ms = u->env.total_ms,
		.limits = &limits };
	const struct addr *a = &u->addrs[u->addr_next++];
	int err;

	if (!list_url_is_allowed(a, u->env.allow_private)) {
		char text[ADDR_STRLEN];

		addr_format(a, text);
		fail(u, -EACCES, "address %s is not allowed", text);
		return;
	}
	limits.header_ms = HEADER_MS;
	limits.body_min_rate = MIN_RATE;
	addr_to_sockaddr(a, (uint16_t)u->at.port, &to);
	err = make_head(u, &head);
	if (!err)
		err = http_fetch(u->env.loop, &opt, on_result, u, &u->fetch);
	http_head_fini(&head);
	if (err)
		fail(u, err, "cannot ask: %s", strerror(-err));
}

static void on_addresses(void *arg, int status, const struct addr *addrs, size_t n)
{
	struct list_url *u = arg;

	u->query = NULL;
	if (status) {
		fail(u, status, status == -ENOENT ? "no address for %s" : "cannot resolve %s",
			u->at.host);
		return;
	}
	memcpy(u->addrs, addrs, n * sizeof(*addrs));
	u->addr_count = n;
	u->addr_next = 0;
	connect_next(u);
}

static void visit(struct list_url *u)
{
	u->addr_next = 0;
	u->addr_count = 1;
	if (!addr_parse(u->at.host, &u->addrs[0])) {
		connect_next(u);
		return;
	}
	u->query = resolver_start(u->env.resolver, u->at.host, on_addresses, u);
	if (!u->query)
		fail(u, -ENOMEM, "out of memory");
}

int list_url_start(const struct list_url_env *env, const char *url, const char *etag,
	const char *last_modified, void (*on_done)(void *arg, struct list_url_result *res),
	void *arg, struct list_url **out)
{
	struct list_url *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	err = list_url_parse(url, &u->at);
	if (err) {
		free(u);
		return err;
	}
	u->env = *env;
	u->etag = etag ? strdup(etag) : NULL;
	u->last_modified = last_modified ? strdup(last_modified) : NULL;
	u->on_done = on_done;
	u->arg = arg;
	timer_init(env->loop, &u->soon, on_soon, u);
	*out = u;
	visit(u);
	return 0;
}

void list_url_cancel(struct list_url *u)
{
	u->on_done = NULL;
	if (u->fetch)
		http_fetch_cancel(u->fetch);
	u->fetch = NULL;
	if (u->query)
		resolver_cancel(u->query);
	u->query = NULL;
	timer_close(&u->soon, on_soon_closed);
}
