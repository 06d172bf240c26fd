/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/route.h"
#include "apid/resources.h"
#include "apid/routes.h"
#include "apid/uri.h"
#include "common/hmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A route with its path in pieces. */
struct entry {
	const struct route *route;
	const char *segments[URI_SEGMENTS_MAX]; /* NULL = a parameter */
	size_t n;
	struct entry *next; /* of the same noun */
	char text[128];	    /* what the segments point into */
};

struct router {
	struct route *routes;
	struct entry *entries;
	size_t n, made;	     /* made: the first ones, which resources made */
	struct hmap by_noun; /* the third piece of the path, or the first → first entry */
};

static const char *noun_of(const char *const *segments, size_t n)
{
	return n > 2 && segments[2] ? segments[2] : n ? segments[0] : "";
}

static void split(struct entry *e, const struct route *r)
{
	char *at;

	e->route = r;
	strncpy(e->text, r->path, sizeof(e->text) - 1);
	for (at = strtok(e->text, "/"); at && e->n < URI_SEGMENTS_MAX; at = strtok(NULL, "/"))
		e->segments[e->n++] = at[0] == '{' ? NULL : at;
}

static int index_entry(struct router *r, struct entry *e)
{
	const char *noun = noun_of(e->segments, e->n);
	struct entry *first = hmap_find_str(&r->by_noun, noun);

	if (!first)
		return hmap_set_str(&r->by_noun, noun, e);
	e->next = first->next;
	first->next = e;
	return 0;
}

int router_new(struct router **out)
{
	struct router *r = calloc(1, sizeof(*r));
	size_t own = resources_route_count(), n = own;
	int err = 0;

	if (!r)
		return -ENOMEM;
	hmap_init(&r->by_noun, NULL);
	for (size_t i = 0; routes_all(i).n; i++)
		n += routes_all(i).n;
	r->routes = calloc(n, sizeof(*r->routes));
	r->entries = calloc(n, sizeof(*r->entries));
	if (!r->routes || !r->entries) {
		router_free(r);
		return -ENOMEM;
	}
	r->made = resources_make_routes(r->routes);
	r->n = own;
	for (size_t i = 0; routes_all(i).n; i++) {
		memcpy(r->routes + r->n, routes_all(i).v, routes_all(i).n * sizeof(*r->routes));
		r->n += routes_all(i).n;
	}
	if (r->made != own)
		err = -ENOMEM;
	for (size_t i = 0; i < r->n && !err; i++) {
		split(&r->entries[i], &r->routes[i]);
		err = index_entry(r, &r->entries[i]);
	}
	if (err)
		router_free(r);
	else
		*out = r;
	return err;
}

void router_free(struct router *r)
{
	if (!r)
		return;
	hmap_fini(&r->by_noun);
	resources_free_routes(r->routes, r->made);
	free(r->routes);
	free(r->entries);
	free(r);
}

const struct route *router_routes(const struct router *r, size_t *n)
{
	*n = r->n;
	return r->routes;
}

static bool matches(const struct entry *e, const struct uri *uri, const char **args)
{
	size_t n = 0;

	if (e->n != uri->n_segments)
		return false;
	for (size_t i = 0; i < e->n; i++) {
		if (!e->segments[i] && uri->segments[i][0] && n < ROUTE_ARGS_MAX)
			args[n++] = uri->segments[i];
		else if (!e->segments[i] || strcmp(e->segments[i], uri->segments[i]))
			return false;
	}
	return true;
}

static void add_method(char *allowed, const char *method)
{
	if (strstr(allowed, method) || strlen(allowed) + strlen(method) + 8 >= 64)
		return;
	if (allowed[0])
		strcat(allowed, ", ");
	strcat(allowed, method);
	if (!strcmp(method, "GET"))
		strcat(allowed, ", HEAD");
}

const struct route *router_find(const struct router *r, enum route_front front, const char *method,
	const struct uri *uri, const char *args[static ROUTE_ARGS_MAX], char allowed[static 64])
{
	const char *noun = noun_of(uri->segments, uri->n_segments);

	allowed[0] = '\0';
	if (!strcmp(method, "HEAD"))
		method = "GET";
	for (const struct entry *e = hmap_find_str(&r->by_noun, noun); e; e = e->next) {
		if (!(e->route->front & front) || !matches(e, uri, args))
			continue;
		if (!strcmp(e->route->method, method))
			return e->route;
		add_method(allowed, e->route->method);
	}
	return NULL;
}
