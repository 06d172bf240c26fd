/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"
#include "proxyd/proxy.h"
#include "proxyd/target.h"

/*
 * Requests that the gateway answers itself: the set-up page, its downloads and the appeal portal
 * (SPEC P2, P8, P19), on the portal's ports, to the explicit proxy itself, and through it; of every
 * other website's name only the portal's path.
 */

/* Who asks, and under which name. */
struct own_visit {
	struct proxy *p;
	struct addr device;
	struct target at; /* host, port, is_https of the request; its path is not used */
	bool is_on_site;  /* at is another website's name */
};

/* A request to the gateway: host is its Host header (NULL: HTTP/1.0, the address is meant). 0,
 * -EINVAL: the header is wrong, -EREMOTE: it is not the gateway's name. */
int own_visit_init(struct own_visit *v, struct proxy *p, const struct addr *device,
	const char *host, bool is_https);
/* Is the request, whose target is known, for the gateway? Fills in the visit. */
bool own_is_asked(struct own_visit *v, struct proxy *p, const struct addr *device,
	const struct target *at, const char *path);

/* 451 for what the policy does not allow, with the way to the portal (SPEC P7). term: what was
 * searched for, NULL = not for that. */
void own_send_blocked(struct proxy *p, struct http_request *req, const struct target *at,
	const char *url, const struct decision *d, const char *term);

/* One request of such; path is its origin-form ("/proxy.pac?x"). NULL: it is answered, and may be
 * gone. Else its body is awaited: own_on_body and own_on_body_end follow, and own_free at its end.
 */
struct own;
struct own *own_begin(const struct own_visit *v, struct http_request *req, const char *path);
void own_on_body(struct own *o, const void *data, size_t len);
void own_on_body_end(struct own *o);
void own_free(struct own *o); /* NULL is allowed */
