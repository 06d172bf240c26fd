/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/reach.h"

#include "common/timer.h"
#include "fwd/fwd.h"

static bool is_allowed(struct fwd *f, const struct addr *source, const struct addr *to)
{
	const struct device_view *v = directory_find(f->directory, source);
	struct feed *feed = &f->firewall.feed;
	if (!v)
		return false;
	feed_set_clock(feed, clock_mono_ms());
	struct list_bits on = lists_bits(&f->lists, v);
	if (feed_lists_with(feed, to) & (on.by_address | on.doh))
		return false;
	return !v->strict || feed_is_allowed(feed, source, to);
}

static void on_reach(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	(void)caller;
	struct fwd *f = arg;
	const struct rec_reach *r = args;
	struct addr source, to;
	if (!f->known || !f->directory || !f->lists.known) {
		bus_call_fail(call, "not_ready", "");
		return;
	}
	if (addr_parse(r->source, &source) || addr_parse(r->address, &to)) {
		bus_call_fail(call, "bad_address", "");
		return;
	}
	cJSON *result = cJSON_CreateObject();
	cJSON_AddBoolToObject(result, "allowed", is_allowed(f, &source, &to));
	bus_call_reply(call, result);
}

int reach_serve(struct fwd *f)
{
	return bus_serve(f->daemon->bus, REQUEST_fwd_reach, on_reach, f);
}
