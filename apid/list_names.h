/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/hmap.h"

/* The lists' titles: dnsd names a list by its title, proxyd by its id. */
struct list_names {
	struct bus *bus;
	struct hmap ids;    /* title → id, owned */
	struct hmap titles; /* id → title, owned */
};

int list_names_open(struct list_names *n, struct bus *bus);
void list_names_fini(struct list_names *n);
/* The id for a title; what is no title is returned as it is. */
const char *list_names_id(const struct list_names *n, const char *text);
/* NULL = no such list, or it has no title. */
const char *list_names_title(const struct list_names *n, const char *id);
