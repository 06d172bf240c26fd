/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "syncd/directus_impl.h"
#include <stdio.h>
#include <string.h>

/* ---- which collections there are in the group ---- */

static void take_collection(struct directus *d, const cJSON *one)
{
	const char *name = cJSON_GetStringValue(json_get(one, "collection"));
	const char *group = cJSON_GetStringValue(json_get(json_get(one, "meta"), "group"));
	struct directus_unit *u;

	/* A folder has no table of its own. */
	if (!name || !cJSON_IsObject(json_get(one, "schema")))
		return;
	u = directus_find_unit(d, name);
	if (!group || strcmp(group, d->conf.mapping.collections[PART_APPS]) != 0) {
		/* It is there for all to see, and in the group no more. */
		if (u && u->parts[0] == PART_APPS)
			u->left = true;
		return;
	}
	if (!directus_is_name(name) || strlen(name) > 64) {
		log_warning("collection of Directus has no name for a list name=%.64s", name);
		return;
	}
	if (u && u->parts[0] != PART_APPS) {
		log_warning(
			"collection of Directus is called as a list that is there name=%s", name);
		return;
	}
	if (!u) {
		if (directus_add_list(d, name))
			return;
		d->ops->on_list_new(d->arg, name);
	}
	u = directus_find_unit(d, name);
	u->seen = true;
	u->confirmed = false;
}

static bool is_missing(const struct directus_unit *u)
{
	return u->parts[0] == PART_APPS && !u->seen;
}

/* sure: whoever asks sees all that there is. Else a list that is not seen may just be forbidden:
 * it stays, until somebody confirms that it is gone. */
static void drop_missing(struct directus *d, bool sure)
{
	char why[192];

	for (size_t i = d->count; i--;) {
		struct directus_unit *u = d->units[i];

		if (!is_missing(u))
			continue;
		if (!sure && !u->left && !u->confirmed) {
			snprintf(why, sizeof(why),
				"%s: gone, or forbidden to the token; syncing this list by hand "
				"confirms that it is gone",
				u->id);
			directus_unit_fail(d, u, why);
			u->missing = true;
			continue;
		}
		/* In the next round it is missing still. */
		if (d->ops->on_list_gone(d->arg, u->id))
			continue;
		log_notice("list of Directus is gone id=%s", u->id);
		directus_remove_unit(d, i);
	}
	directus_round_go(d);
}

/* An administrator of Directus sees every collection. */
static void on_globals(void *arg, struct directus_answer *a)
{
	struct directus *d = arg;

	if (a->outcome != DIRECTUS_OK && a->outcome != DIRECTUS_FORBIDDEN &&
		a->outcome != DIRECTUS_REFUSED)
		directus_round_abort(d, a);
	else
		drop_missing(d, cJSON_IsTrue(json_get(directus_answer_data(a), "admin_access")));
}

static void find_missing(struct directus *d)
{
	struct directus_answer a = { .text = "out of memory" };
	bool any = false;

	for (size_t i = 0; i < d->count; i++)
		any |= is_missing(d->units[i]);
	if (!any)
		directus_round_go(d);
	else if (directus_ask(&d->client, "GET", "/policies/me/globals", NULL, on_globals, d))
		directus_round_abort(d, &a);
}

static void on_collections(void *arg, struct directus_answer *a)
{
	struct directus *d = arg;
	const cJSON *data = directus_answer_data(a), *one;

	if (a->outcome != DIRECTUS_OK && a->outcome != DIRECTUS_FORBIDDEN) {
		directus_round_abort(d, a);
		return;
	}
	/* Who sees no collection at all has lost the right to, and knows nothing of the group. */
	if (cJSON_GetArraySize(data) == 0) {
		directus_round_go(d);
		return;
	}
	for (size_t i = 0; i < d->count; i++)
		d->units[i]->seen = d->units[i]->left = d->units[i]->missing = false;
	cJSON_ArrayForEach (one, data)
		take_collection(d, one);
	find_missing(d);
}

int directus_group_ask(struct directus *d)
{
	return directus_ask(&d->client, "GET", "/collections", NULL, on_collections, d);
}
