/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/policy_drop.h"
#include "common/log.h"

#include <errno.h>

/* The topics that syncd owns as well, but switches, which are written to Directus and never back.
 */
static bool is_shared(int table)
{
	switch (table) {
	case TOPIC_categories:
	case TOPIC_websites:
	case TOPIC_words:
	case TOPIC_search_words:
	case TOPIC_category_prefs:
	case TOPIC_site_overrides:
	case TOPIC_sni_block:
	case TOPIC_mitm_ignore:
	case TOPIC_image_ignore:
		return true;
	default:
		return false;
	}
}

static void on_dropped(void *arg, int status, const char *text)
{
	struct bus_call *call = arg;

	(void)text;
	if (status)
		bus_call_fail(call, "unavailable", "the database does not answer");
	else
		bus_call_reply(call, NULL);
}

static void on_call(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	static const struct store_actor by = { .name = "directus" };
	const struct rec_policy_drop *in = args;
	int table = store_table_find(in->topic);
	struct store *s = arg;

	(void)caller;
	if (!is_shared(table)) {
		bus_call_fail(call, "invalid", "no such topic");
	} else if (!store_is_ready(s)) {
		bus_call_fail(call, "unavailable", "the database does not answer");
	} else {
		log_info("record removed, as its row in Directus was topic=%s id=%s", in->topic,
			in->id);
		store_drop(s, table, in->id, &by, on_dropped, call);
	}
}

int policy_drop_serve(struct store *s, struct bus *bus)
{
	return bus_serve(bus, REQUEST_apid_policy_drop, on_call, s);
}
