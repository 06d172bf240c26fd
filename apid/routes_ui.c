/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/routes.h"
#include "apid/ui_files.h"

#include <stdio.h>
#include <string.h>

/*
 * The administration's UI: the page at /, and what it is made of below /ui/VERSION/. None of it is
 * a secret; what it shows comes from the API, for who is logged in.
 */

/* Scripts and styles from here alone, none inline; no text becomes markup (Trusted Types). */
#define CSP_UI                                                                                     \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "          \
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "        \
	"require-trusted-types-for 'script'; trusted-types 'none'"

static const struct ui_file *find_file(const char *name)
{
	for (size_t i = 0; i < ui_file_count; i++) {
		if (!strcmp(ui_files[i].name, name))
			return &ui_files[i];
	}
	return NULL;
}

static bool takes_gzip(const struct call *c)
{
	const struct http_head *head = exchange_head(&c->x);

	return head && http_head_has_token(head, "accept-encoding", "gzip");
}

/* Both forms of a file have a tag of their own (RFC 9110 8.8.3.3). */
static bool is_known(const struct call *c, const char *etag)
{
	const struct http_head *head = exchange_head(&c->x);
	const char *match = head ? http_head_get(head, "if-none-match") : NULL;

	return match && strstr(match, etag);
}

static void answer(struct call *c, const struct ui_file *f, const char *cache)
{
	bool is_gzip = takes_gzip(c);
	struct http_head h;
	char etag[40];

	snprintf(etag, sizeof(etag), "\"%.12s%s\"", ui_version, is_gzip ? "-gz" : "");
	http_head_init(&h);
	call_add_security(c, &h, CSP_UI, cache);
	http_head_add(&h, "Cross-Origin-Opener-Policy", "same-origin");
	http_head_add(&h, "Cross-Origin-Resource-Policy", "same-origin");
	http_head_add(&h, "ETag", etag);
	http_head_add(&h, "Vary", "Accept-Encoding");
	if (is_known(c, etag)) {
		exchange_answer(&c->x, 304, &h, NULL, NULL, 0);
	} else {
		if (is_gzip)
			http_head_add(&h, "Content-Encoding", "gzip");
		exchange_answer(&c->x, 200, &h, f->type, is_gzip ? f->gz : f->data,
			is_gzip ? f->gz_len : f->len);
	}
	http_head_fini(&h);
}

static void handle_page(struct call *c)
{
	const struct ui_file *f = find_file("index.html");

	if (f)
		answer(c, f, "no-cache");
	else
		call_problem(c, 404, "this apid was built without its pages");
}

/* Where processes of two versions share the port, one is asked for what the other's page names: it
 * gives what it has, for this time. */
static void handle_file(struct call *c)
{
	const char *directory = c->route->data;
	const struct ui_file *f;
	char name[128];

	snprintf(name, sizeof(name), "%s/%.100s", directory, c->args[1]);
	f = find_file(name);
	if (!f)
		call_problem(c, 404, "there is nothing here");
	else if (strcmp(c->args[0], ui_version))
		answer(c, f, "no-store");
	else
		answer(c, f, "public, max-age=31536000, immutable");
}

/* who: whose listener has it. The devices' own has nothing but the style of its pages. */
#define FILES(directory, kind, who)                                                                \
	{                                                                                          \
		.method = "GET", .path = "/ui/{version}/" directory "/{file}", .front = (who),     \
		.auth = AUTH_NONE, .response_type = (kind), .status = 200, .tag = "ui",            \
		.summary = "A part of the pages", .data = (directory), .handle = handle_file       \
	}

static const struct route routes[] = {
	{ .method = "GET",
		.path = "/",
		.front = FRONT_ADMIN,
		.auth = AUTH_NONE,
		.response_type = "text/html",
		.status = 200,
		.tag = "ui",
		.summary = "The administration's pages",
		.handle = handle_page },
	FILES("app", "text/javascript", FRONT_ADMIN),
	FILES("pages", "text/javascript", FRONT_ADMIN),
	FILES("texts", "text/javascript", FRONT_ADMIN),
	FILES("public", "text/css", FRONT_ADMIN | FRONT_DEVICE),
	FILES("vendor", "text/javascript", FRONT_ADMIN),
};

struct route_set routes_ui(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
