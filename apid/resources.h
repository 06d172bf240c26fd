/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/route.h"

/* Resources whose records are a table of the store: one row each, the routes are made of it. */
struct api;

/* Whom a record is about, for accounts that are limited to groups. */
enum resource_reach {
	RESOURCE_GLOBAL, /* everybody: read by all, changed by those without a limit */
	RESOURCE_GROUP,	 /* the group that is its id */
	RESOURCE_USER, /* a person: seen by those who may see a device of that person's, changed by
			  those without a limit */
	RESOURCE_TARGET, /* the device or group that its fields device, group, or its id or field
			    scope (device:ID, group:ID) name; without: everybody */
};

struct resource {
	const char *path; /* "/api/v1/groups" */
	int table;
	const struct body_schema *schema;
	enum resource_reach reach;
	unsigned write_roles; /* BY_… */
	enum scope scope;
	const char *tag, *one, *many; /* "group", "groups": in summaries */
	/* What body and tables together must be; NULL, or what is wrong with which field. May be
	 * NULL. */
	const char *(*check)(const struct api *a, const cJSON *record, const char **pointer);
};

/* By the last part of its path ("websites"); NULL = none. */
const struct resource *resources_find(const char *name);

/* Room for that many routes … */
size_t resources_route_count(void);
/* … is filled here; how many were, fewer without memory. */
size_t resources_make_routes(struct route *out);
void resources_free_routes(struct route *routes, size_t n);
