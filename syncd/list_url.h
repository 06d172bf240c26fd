/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/resolver.h"
#include "common/tls.h"
#include <stdbool.h>

/*
 * One conditional GET of a list over HTTPS: resolve, refuse addresses that are not to be reached,
 * connect and verify, follow up to 5 redirects (each checked like the first).
 */
struct list_url_env {
	uv_loop_t *loop;
	struct resolver *resolver;
	struct tls_ctx *tls;
	bool allow_private;
	size_t bytes_max;  /* of a body, as sent */
	uint32_t total_ms; /* for all of one address */
};

struct list_url_result {
	int err;	   /* 0, or -errno with error filled */
	char error[192];   /* "http status 503", "tls: certificate has expired" … */
	bool not_modified; /* with err 0: what the validators stand for is still right */
	uint8_t *body;	   /* with err 0: malloc'ed; set to NULL to keep it */
	size_t len;
	/* NULL when the server gave none; valid during the call. */
	const char *etag, *last_modified, *coding;
};

struct list_url;
/* The strings are copied; etag and last_modified may be NULL. on_done is called once, from the
 * loop, never from within. -EINVAL: not an https:// URL. */
int list_url_start(const struct list_url_env *env, const char *url, const char *etag,
	const char *last_modified, void (*on_done)(void *arg, struct list_url_result *res),
	void *arg, struct list_url **out);
/* Ends it without on_done. */
void list_url_cancel(struct list_url *u);

/* The parts of a URL; strings are zero-terminated. */
struct list_url_parts {
	char host[256];	     /* lower-case name or address without brackets */
	char authority[272]; /* for the Host header */
	char target[4096];   /* path and query */
	unsigned port;
};
int list_url_parse(const char *url, struct list_url_parts *out);
/* The same for http, too. */
int list_url_parse_any(const char *url, struct list_url_parts *out, bool *is_tls);
/* May it be connected to? Never link-local, multicast, unspecified; private and loopback if
 * allowed. */
bool list_url_is_allowed(const struct addr *a, bool allow_private);
