/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/identify.h"
#include "apid/live_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is watched ---- */

/* Ids, until there are too many. */
struct wish {
	const char *v[WATCH_DEVICES_MAX];
	size_t n;
	bool is_all;
};

static void wish_for(struct wish *w, const char *device)
{
	for (size_t i = 0; i < w->n; i++) {
		if (!strcmp(w->v[i], device))
			return;
	}
	if (w->n < WATCH_DEVICES_MAX)
		w->v[w->n++] = device;
	else
		w->is_all = true;
}

static void wish_of(struct wish *w, const struct live_reader *r)
{
	const struct table *devices = store_table(r->live->api->store, TOPIC_devices);

	if (!r->filter.devices.n && !r->actor.groups)
		w->is_all = true;
	for (size_t i = 0; i < r->filter.devices.n && !w->is_all; i++) {
		const struct table_row *row = table_find(devices, r->filter.devices.v[i]);

		if (row && group_set_has(r->actor.groups, row->group))
			wish_for(w, row->id);
	}
	for (size_t i = 0; !r->filter.devices.n && !w->is_all && i < devices->n; i++) {
		if (group_set_has(r->actor.groups, devices->sorted[i]->group))
			wish_for(w, devices->sorted[i]->id);
	}
}

static void rewatch(struct live *l)
{
	struct wish w = { 0 };

	list_foreach (&l->readers[LIVE_ROWS], it) {
		if (!w.is_all)
			wish_of(&w, container_of(it, struct live_reader, node));
	}
	if (w.is_all) {
		w.v[0] = WATCH_ALL;
		w.n = 1;
	}
	watching_set(&l->watching, w.v, w.n);
}

/* ---- every second ---- */

static void check_readers(struct live *l)
{
	for (int kind = 0; kind < LIVE_KINDS; kind++) {
		list_foreach_safe (&l->readers[kind], it) {
			struct live_reader *r = container_of(it, struct live_reader, node);

			if (!identify_again(l->api, &r->actor, r->route))
				websocket_close(r->ws, WEBSOCKET_ENDED,
					"the session or token has ended or changed");
		}
	}
}

static void send_stats(struct live *l, struct live_reader *r, const char *text)
{
	char *own = r->actor.groups ? stats_make(&l->stats, r->actor.groups) : NULL;

	if (r->actor.groups)
		text = own;
	if (text && !websocket_is_full(r->ws))
		websocket_send(r->ws, text, strlen(text));
	free(own);
}

static void on_tick(struct timer *t)
{
	struct live *l = t->data;
	char *text = list_is_empty(&l->readers[LIVE_STATS]) ? NULL : stats_make(&l->stats, NULL);

	check_readers(l);
	list_foreach_safe (&l->readers[LIVE_STATS], it)
		send_stats(l, container_of(it, struct live_reader, node), text);
	list_foreach_safe (&l->readers[LIVE_ROWS], it) {
		struct live_reader *r = container_of(it, struct live_reader, node);

		if (r->dropped != r->told_dropped && !websocket_is_full(r->ws))
			live_tell_dropped(r);
	}
	free(text);
	rewatch(l); /* devices come and go */
}

/* ---- readers ---- */

static void count_reader(struct live *l, const struct live_reader *r, int by)
{
	const char *key = r->actor.credential;
	intptr_t n = (intptr_t)hmap_find_str(&l->per_credential, key) + by;

	l->count += (size_t)by;
	if (n > 0)
		hmap_set_str(&l->per_credential, key, (void *)n);
	else
		hmap_take_str(&l->per_credential, key);
	if (l->is_closed)
		return;
	if (l->count && !timer_is_active(&l->tick))
		timer_start(&l->tick, LIVE_TICK_MS, LIVE_TICK_MS);
	else if (!l->count)
		timer_stop(&l->tick);
}

static void answer_filter(struct live_reader *r, int err, const struct body_error *why)
{
	cJSON *o = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(o, "type", err ? "error" : "filter");
	if (err == -EINVAL)
		cJSON_AddStringToObject(o, "pointer", why->pointer);
	if (err)
		cJSON_AddStringToObject(o, "reason", err == -EINVAL ? why->reason : "no memory");
	text = json_format(o);
	cJSON_Delete(o);
	if (text)
		websocket_send(r->ws, text, strlen(text));
	free(text);
}

static void on_text(struct websocket *w, const char *text, size_t len)
{
	struct live_reader *r = websocket_data(w);
	struct body_error why;
	int err;

	if (r->kind != LIVE_ROWS) {
		websocket_close(w, WEBSOCKET_POLICY, "nothing is taken here");
		return;
	}
	err = live_filter_parse(&r->filter, text, len, &why);
	answer_filter(r, err, &why);
	if (!err)
		rewatch(r->live);
}

static void free_reader(struct live_reader *r)
{
	group_set_unref(r->actor.groups);
	live_filter_fini(&r->filter);
	free(r);
}

static void on_close(struct websocket *w)
{
	struct live_reader *r = websocket_data(w);
	struct live *l = r->live;

	list_remove(&r->node);
	count_reader(l, r, -1);
	if (r->kind == LIVE_ROWS && !l->is_closed)
		rewatch(l);
	free_reader(r);
}

static void greet(struct live_reader *r)
{
	char text[160];
	int len = snprintf(text, sizeof(text),
		"{\"type\":\"hello\",\"version\":1,\"stream\":\"%s\",\"ping_ms\":%u}",
		r->kind == LIVE_ROWS ? "live" : "stats", (unsigned)r->live->options.ping_ms);

	websocket_send(r->ws, text, (size_t)len);
	if (r->kind == LIVE_STATS) {
		char *stats = stats_make(&r->live->stats, r->actor.groups);

		if (stats)
			websocket_send(r->ws, stats, strlen(stats));
		free(stats);
	}
}

/* A browser always says where a page's socket comes from; a program with a token need not. */
static bool is_own_origin(const struct call *c)
{
	const char *origin = http_head_get(exchange_head(&c->x), "origin");

	if (!origin)
		return c->actor.kind == ACTOR_TOKEN;
	return strcmp(origin, "null") != 0 && identify_origin(c);
}

static bool has_room(struct live *l, struct call *c)
{
	size_t own = (size_t)(uintptr_t)hmap_find_str(&l->per_credential, c->actor.credential);

	if (l->is_closed || l->count >= l->options.readers_max)
		call_problem_later(c, 503, "too many live readers", 10);
	else if (own >= l->options.per_credential)
		call_problem_later(c, 429, "too many live readers of this session or token", 10);
	else
		return true;
	return false;
}

void live_join(struct live *l, struct call *c, enum live_kind kind)
{
	static const struct websocket_ops ops = { on_text, on_close };
	struct live_reader *r;

	if (!is_own_origin(c)) {
		call_problem(c, 403, "another site's request");
		return;
	}
	if (!websocket_check(c) || !has_room(l, c))
		return;
	r = calloc(1, sizeof(*r));
	if (!r) {
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	r->live = l;
	r->kind = kind;
	r->route = c->route;
	r->actor = c->actor;
	r->actor.groups = group_set_ref(c->actor.groups);
	list_init(&r->node);
	r->ws = websocket_open(c, l->options.ping_ms, &ops, r);
	if (!r->ws) {
		free_reader(r);
		return;
	}
	list_add(&l->readers[kind], &r->node);
	count_reader(l, r, 1);
	greet(r);
	if (kind == LIVE_ROWS)
		rewatch(l);
}

/* ---- life ---- */

int live_open(struct live *l)
{
	struct api *api = l->api;
	int err;

	for (int kind = 0; kind < LIVE_KINDS; kind++)
		list_init(&l->readers[kind]);
	hmap_init(&l->per_credential, NULL);
	timer_init(api->loop, &l->gather, live_on_gather, l);
	timer_init(api->loop, &l->tick, on_tick, l);
	l->stats.store = api->store;
	l->source = (struct live_source){ .store = api->store, .lists = &l->lists };
	err = watching_open(&l->watching, api->loop, api->bus, api->publisher, l->options.instance);
	if (!err)
		err = list_names_open(&l->lists, api->bus);
	if (!err)
		err = gateways_event_subscribe(api->gateways, EVENT_dnsd_query, live_on_query, l);
	return err ? err
		   : gateways_event_subscribe(
			     api->gateways, EVENT_proxyd_access, live_on_access, l);
}

void live_fill_status(const struct live *l, cJSON *status)
{
	cJSON_AddNumberToObject(status, "live_readers", (double)l->count);
	cJSON_AddNumberToObject(status, "live_rows", (double)l->told);
	cJSON_AddNumberToObject(status, "live_dropped", (double)l->dropped);
	watching_fill_status(&l->watching, status);
}

void live_close(struct live *l)
{
	if (!l->tick.on_fire || l->is_closed)
		return;
	l->is_closed = true;
	watching_set(&l->watching, NULL, 0);
	watching_close(&l->watching);
	timer_close(&l->gather, NULL);
	timer_close(&l->tick, NULL);
	for (int kind = 0; kind < LIVE_KINDS; kind++) {
		list_foreach_safe (&l->readers[kind], it)
			websocket_close(container_of(it, struct live_reader, node)->ws,
				WEBSOCKET_GOING_AWAY, "apid stops");
	}
}

void live_fini(struct live *l)
{
	for (size_t i = 0; i < l->n; i++)
		live_row_fini(&l->rows[i]);
	free(l->rows);
	hmap_fini(&l->per_credential);
	list_names_fini(&l->lists);
	watching_fini(&l->watching);
}
