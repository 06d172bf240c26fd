/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/wgd.h"

#include "common/json.h"
#include "common/log.h"
#include "wgd/kfile.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SETTLE_MS = 5,	/* gathers the topics of one change */
	RETRY_MS = 100, /* without memory */
	CALL_MS = 1900, /* the caller gives up after 2 s */
	CALLS_MAX = 1024,
	DAY_MS = 86400000,
};

/* A peer_applied request that waits. */
struct call {
	struct list node;
	struct bus_call *call;
	char id[65], public_key[WG_KEY_BASE64_LEN + 1]; /* "" = any key */
	uint64_t gen;
	uint64_t deadline_ms;
};

bool wgd_is_known(const struct wgd *w)
{
	return w->directory && directory_is_known(w->directory) &&
	       bus_topic_is_known(w->daemon->bus, TOPIC_device_keys, BUS_APID);
}

void wgd_schedule_settle(struct wgd *w)
{
	if (w->closing || timer_is_active(&w->settle))
		return;
	/* A change that stands alone takes effect at once, those that follow it are gathered. */
	uint64_t since_ms = clock_mono_ms() - w->settled_at_ms;
	timer_start(&w->settle, since_ms < SETTLE_MS ? SETTLE_MS - since_ms : 0, 0);
}

/* ---- devices and keys ---- */

/* The interface has each address once, however often the record does. */
static void add_address(struct peer_device *out, const struct addr *a)
{
	for (size_t i = 0; i < out->address_count; i++)
		if (addr_equal(&out->addresses[i], a))
			return;
	out->addresses[out->address_count++] = *a;
}

static bool find_device(void *arg, const char *id, struct peer_device *out)
{
	struct wgd *w = arg;
	const struct device_view *v = directory_find_id(w->directory, id);
	if (!v)
		return false;
	out->tunnel = v->tunnel;
	out->address_wrong = v->address_wrong;
	for (size_t i = 0; i < v->address_count && i < WG_ALLOWED_MAX; i++) {
		add_address(out, &v->addresses[i]);
		/* The directory says whose an address is, for all daemons alike. */
		out->address_taken |= directory_find(w->directory, &v->addresses[i]) != v;
	}
	int64_t grace_ms = directory_settings(w->directory)->expired_grace_days * DAY_MS;
	out->leaves_at = v->expires_at > 0 ? v->expires_at + grace_ms : 0;
	out->entitled = v->entitlement == ENTITLED;
	return true;
}

static void on_change(
	void *arg, size_t tunnel, enum wg_change_kind kind, const struct wg_peer *peer)
{
	struct wgd *w = arg;
	tunnel_change(&w->tunnels[tunnel], kind, peer);
}

static void on_left(void *arg, struct peer *peer)
{
	struct wgd *w = arg;
	stats_leave(&w->stats, peer);
}

const struct peers_ops wgd_peers_ops = { find_device, on_change, on_left };

/* Records are only marked: half a batch may hold two devices of one key that are swapping it. */
static int take_device(struct wgd *w, const struct device_view *v)
{
	int err = peers_mark(&w->peers, v->id);
	if (!err && kfile_id_is_good(v->id))
		err = usage_set_quota(&w->usage, v->id, v->quota_bytes);
	return err == -ENOMEM ? err : 0;
}

/* All, where there was no memory for one. */
static int take_lost(struct wgd *w)
{
	int err = 0;
	for (struct device_view *v = NULL; w->devices_lost && !err;) {
		v = directory_next(w->directory, v);
		if (v)
			err = take_device(w, v);
		else
			w->devices_lost = false;
	}
	return err;
}

static void on_device(void *arg, struct device_view *v)
{
	struct wgd *w = arg;
	w->devices_lost |= take_device(w, v) != 0;
}

static void on_gone(void *arg, struct device_view *v)
{
	struct wgd *w = arg;
	peers_mark(&w->peers, v->id); /* one that was none needs no mark */
	usage_remove(&w->usage, v->id);
}

static void on_settings(void *arg, const struct settings *s)
{
	struct wgd *w = arg;
	usage_set_period(&w->usage, s->quota_period);
	usage_advance(&w->usage, clock_wall_ms(), clock_mono_ms());
	peers_mark_all(&w->peers); /* expired_grace_days */
}

static void on_devices_end(void *arg)
{
	struct wgd *w = arg;
	w->unreported = true;
	wgd_schedule_settle(w);
}

static void on_key(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	(void)topic, (void)owner;
	struct wgd *w = arg;
	const struct rec_device_key *key = rec;
	if (peers_set_key(&w->peers, id, key ? key->public_key : NULL,
		    key ? key->preshared_key : NULL, key && key->head.closed) == -ENOMEM)
		bus_record_lost(w->daemon->bus);
}

static void on_keys_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	(void)topic, (void)owner;
	struct wgd *w = arg;
	w->key_gen = gen;
	w->unreported = true;
	wgd_schedule_settle(w);
}

static void on_leaving(struct timer *t)
{
	struct wgd *w = t->data;
	int64_t now = clock_wall_ms();
	if (w->peers.next_leave && w->peers.next_leave <= now && peers_mark_leaving(&w->peers, now))
		wgd_schedule_settle(w);
	if (w->peers.next_leave)
		timer_start_at(t, w->peers.next_leave);
}

static void on_settle(struct timer *t)
{
	struct wgd *w = t->data;
	if (!wgd_is_known(w))
		return;
	w->settled_at_ms = clock_mono_ms();
	if (take_lost(w) || peers_settle(&w->peers, clock_wall_ms())) {
		log_error("no memory to settle peers");
		timer_start(t, RETRY_MS, 0);
		return;
	}
	if (!peers_is_settled(&w->peers))
		timer_start(t, RETRY_MS, 0);
	for (size_t i = 0; i < w->tunnel_count; i++) {
		if (!w->was_known || w->tunnels[i].held)
			tunnel_kick(&w->tunnels[i]);
		tunnel_flush(&w->tunnels[i]);
	}
	w->was_known = true;
	if (w->peers.next_leave)
		timer_start_at(&w->leaving, w->peers.next_leave);
	wgd_prune_usage(w);
	for (size_t i = 0; i < w->tunnel_count && w->usage.limited; i++)
		tunnel_read_within(&w->tunnels[i], USAGE_READ_QUOTA_MS);
	wgd_progress(w);
}

/* ---- peer_applied ---- */

static void end_call(struct wgd *w, struct call *c)
{
	list_remove(&c->node);
	w->call_count--;
	free(c);
}

static void reply(struct wgd *w, struct call *c, const char *state)
{
	cJSON *result = cJSON_CreateObject();
	cJSON_AddStringToObject(result, "state", state);
	bus_call_reply(c->call, result);
	end_call(w, c);
}

static void refuse(struct wgd *w, struct call *c, const char *code, const char *detail)
{
	bus_call_fail(c->call, code, detail);
	end_call(w, c);
}

/* Does the device have the key that the caller speaks of? */
static bool has_key(const struct call *c, const struct peer *peer)
{
	char text[WG_KEY_BASE64_LEN + 1];
	if (!c->public_key[0])
		return true;
	if (!peer->has_key)
		return false;
	if (peer->key_wrong)
		return true;
	wg_key_format(&peer->public_key, text);
	return !strcmp(text, c->public_key);
}

static void all_tunnels_settled(const struct wgd *w, bool *settled)
{
	for (size_t i = 0; i < w->tunnel_count; i++)
		*settled = *settled && tunnel_is_settled(&w->tunnels[i]);
}

/* Answers the call if it can be answered now. */
static void try_call(struct wgd *w, struct call *c)
{
	bool settled = true;
	if (!wgd_is_known(w) || timer_is_active(&w->settle) || !peers_is_settled(&w->peers) ||
		bus_topic_gen(w->daemon->bus, TOPIC_devices, BUS_APID) < c->gen)
		return;
	const struct peer *peer = peers_find(&w->peers, c->id);
	if (peer && !has_key(c, peer))
		return;
	if (peer && peer->refusal >= REFUSAL_INVALID_KEY) {
		refuse(w, c, "refused", refusal_text(peer->refusal));
		return;
	}
	if (peer && peer->refusal == REFUSAL_NONE)
		settled = tunnel_is_settled(&w->tunnels[peer->tunnel]);
	else
		all_tunnels_settled(w, &settled);
	if (!settled)
		return;
	if (!peer)
		reply(w, c, "absent");
	else
		reply(w, c,
			peer->refusal == REFUSAL_NONE ? "applied" : refusal_text(peer->refusal));
}

static void on_call_deadline(struct timer *t)
{
	struct wgd *w = t->data;
	uint64_t now = clock_mono_ms();
	list_foreach_safe (&w->calls, it) {
		struct call *c = container_of(it, struct call, node);
		if (c->deadline_ms > now) {
			timer_start(t, c->deadline_ms - now, 0);
			return;
		}
		refuse(w, c, "timeout", "the peer is not in force yet");
	}
}

static void on_peer_applied(
	void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	(void)caller;
	struct wgd *w = arg;
	const struct rec_peer_apply *apply = args;
	struct call *c = w->call_count < CALLS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c || apply->gen < 0) {
		free(c);
		bus_call_fail(call, c ? "invalid" : "busy", c ? "gen" : "too many calls wait");
		return;
	}
	c->call = call;
	c->gen = (uint64_t)apply->gen;
	strncpy(c->id, apply->id, sizeof(c->id) - 1);
	if (apply->public_key)
		strncpy(c->public_key, apply->public_key, sizeof(c->public_key) - 1);
	c->deadline_ms = clock_mono_ms() + CALL_MS;
	list_add(&w->calls, &c->node);
	w->call_count++;
	if (!timer_is_active(&w->call_deadline))
		timer_start(&w->call_deadline, CALL_MS, 0);
	try_call(w, c);
}

/* ---- reports ---- */

void wgd_progress(struct wgd *w)
{
	bool settled = wgd_is_known(w) && !timer_is_active(&w->settle) && !w->closing;
	all_tunnels_settled(w, &settled);
	if (settled && w->unreported) {
		w->unreported = false;
		directory_applied(w->directory);
		bus_topic_applied(w->daemon->bus, TOPIC_device_keys, BUS_APID, w->key_gen);
	}
	list_foreach_safe (&w->calls, it)
		try_call(w, container_of(it, struct call, node));
}

static void fill_status(void *arg, cJSON *status)
{
	struct wgd *w = arg;
	cJSON *tunnels = cJSON_AddArrayToObject(status, "tunnels");
	cJSON *refused = cJSON_AddObjectToObject(status, "peers_refused");
	for (size_t i = 0; i < w->tunnel_count; i++) {
		const struct tunnel *t = &w->tunnels[i];
		cJSON *o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "name", t->conf->name);
		cJSON_AddStringToObject(o, "state", tunnel_state_text(t->state));
		cJSON_AddStringToObject(
			o, "backend", t->backend_ops ? t->backend_ops->name : "none");
		cJSON_AddNumberToObject(o, "peers", (double)t->peer_count);
		cJSON_AddNumberToObject(o, "full_passes", (double)t->full_passes);
		cJSON_AddNumberToObject(o, "quick_passes", (double)t->quick_passes);
		cJSON_AddNumberToObject(o, "failures", (double)t->failures);
		cJSON_AddBoolToObject(o, "purge_held", t->held);
		cJSON_AddItemToArray(tunnels, o);
	}
	wgd_report_readings(w, status);
	cJSON_AddNumberToObject(status, "peers", (double)w->peers.refused[REFUSAL_NONE]);
	for (int r = REFUSAL_NO_KEY; r < REFUSALS; r++)
		if (w->peers.refused[r])
			cJSON_AddNumberToObject(refused, refusal_text((enum refusal)r),
				(double)w->peers.refused[r]);
	if (w->follow)
		follow_report(w->follow, status);
}

int wgd_bus_start(struct wgd *w)
{
	static const struct directory_ops directory_ops = { .on_device = on_device,
		.on_gone = on_gone,
		.on_batch_end = on_devices_end,
		.on_settings = on_settings };
	static const struct bus_topic_ops key_ops = { on_key, on_keys_end };
	struct bus *bus = w->daemon->bus;
	list_init(&w->calls);
	timer_init(&w->daemon->loop, &w->settle, on_settle, w);
	timer_init(&w->daemon->loop, &w->leaving, on_leaving, w);
	timer_init(&w->daemon->loop, &w->unpublished, wgd_on_unpublished, w);
	timer_init(&w->daemon->loop, &w->call_deadline, on_call_deadline, w);
	bus_set_status_source(bus, fill_status, w);
	int err = wgd_readings_start(w);
	if (!err)
		err = wgd_publish_tunnels(w);
	if (!err)
		err = bus_subscribe(bus, TOPIC_device_keys, BUS_APID, &key_ops, w);
	if (!err)
		err = bus_serve(bus, REQUEST_wgd_peer_applied, on_peer_applied, w);
	if (err)
		return err;
	w->directory = directory_open(&w->daemon->loop, bus, &directory_ops, w);
	return w->directory ? 0 : -ENOMEM;
}

void wgd_bus_stop(struct wgd *w)
{
	list_foreach_safe (&w->calls, it)
		refuse(w, container_of(it, struct call, node), "stopping", "wgd stops");
	timer_close(&w->settle, NULL);
	timer_close(&w->call_deadline, NULL);
	timer_close(&w->leaving, NULL);
	timer_close(&w->unpublished, NULL);
	if (w->directory)
		directory_close(w->directory);
	w->directory = NULL;
}
