/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/stats.h"

#include "common/log.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	ONLINE_MS = 180000, /* a session without a new handshake (REJECT_AFTER_TIME) */
	FLAP_WINDOW_MS = 120000,
	FLAP_EVERY_MS = 600000,
	STATS_EVERY_MS = 5000, /* per device; readings may be closer together */
};

static void add_endpoint(cJSON *event, const struct wg_peer *is)
{
	char text[ENDPOINT_STRLEN];
	if (!is->endpoint.addr.family)
		return;
	endpoint_format(&is->endpoint, text);
	cJSON_AddStringToObject(event, "endpoint", text);
}

static void add_counter(cJSON *event, const char *name, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, value);
	cJSON_AddStringToObject(event, name, text);
}

static void send_stats(struct stats *s, const struct peer *peer, const struct wg_peer *is)
{
	cJSON *event = cJSON_CreateObject();
	cJSON_AddStringToObject(event, "device", peer->id);
	if (is->handshake_at)
		cJSON_AddNumberToObject(event, "handshake_at", (double)is->handshake_at);
	add_counter(event, "rx_bytes", is->rx_bytes);
	add_counter(event, "tx_bytes", is->tx_bytes);
	add_endpoint(event, is);
	bus_event_send(s->bus, EVENT_wgd_stats, event);
}

static void send_edge(
	struct stats *s, const struct peer *peer, const struct wg_peer *is, const char *edge)
{
	cJSON *event = cJSON_CreateObject();
	cJSON_AddStringToObject(event, "device", peer->id);
	cJSON_AddStringToObject(event, "edge", edge);
	add_endpoint(event, is);
	bus_event_send(s->bus, EVENT_wgd_peer, event);
}

/* When the handshake was, in monotonic time, as far as the wall clock is to be believed. */
static int64_t handshake_mono(const struct peer_seen *seen, int64_t handshake_at,
	const struct stats_now *now, bool is_new)
{
	int64_t age = now->wall_ms - handshake_at;
	/* It cannot be older than the reading that did not show it. */
	if (age < 0 || (is_new && age > now->mono_ms - seen->read_at))
		age = 0;
	return now->mono_ms - age;
}

static void note_handshake(
	struct peer_seen *seen, const struct wg_peer *is, const struct stats_now *now)
{
	bool is_first = !seen->read_at;
	if (is->handshake_at && (is_first || is->handshake_at != seen->handshake_at))
		seen->alive_at = handshake_mono(seen, is->handshake_at, now, !is_first);
	else if (is_first)
		seen->alive_at = now->mono_ms;
	seen->handshake_at = is->handshake_at;
	seen->read_at = now->mono_ms;
}

static void note_online(
	struct stats *s, struct peer *peer, const struct wg_peer *is, const struct stats_now *now)
{
	struct peer_seen *seen = &peer->seen;
	bool online = is->handshake_at && now->mono_ms - seen->alive_at < ONLINE_MS;
	if (online == seen->online)
		return;
	seen->online = online;
	send_edge(s, peer, is, online ? "online" : "offline");
}

static void note_silence(
	struct stats *s, struct peer *peer, const struct wg_peer *is, const struct stats_now *now)
{
	struct peer_seen *seen = &peer->seen;
	if (!peer->entitled)
		seen->walled_at = now->mono_ms;
	int64_t since = seen->walled_at && seen->walled_at > seen->alive_at ? seen->walled_at
									    : seen->alive_at;
	bool silent = s->silent_ms && peer->entitled && now->mono_ms - since >= s->silent_ms;
	if (silent && !seen->silent)
		send_edge(s, peer, is, "silent");
	seen->silent = silent;
}

/* Did the device come back from there lately? Remembers the place that is left. */
static bool leave_place(struct peer_seen *seen, const struct addr *to, int64_t mono_ms)
{
	struct peer_place *slot = &seen->places[0];
	bool returned = false;
	for (size_t i = 0; i < PEER_PLACES; i++) {
		struct peer_place *p = &seen->places[i];
		returned |= p->addr.family && addr_equal(&p->addr, to) &&
			    mono_ms - p->left_at <= FLAP_WINDOW_MS;
		if (addr_equal(&p->addr, &seen->place))
			slot = p;
		else if (p->left_at < slot->left_at && !addr_equal(&slot->addr, &seen->place))
			slot = p;
	}
	*slot = (struct peer_place){ .addr = seen->place, .left_at = mono_ms };
	return returned;
}

static void note_place(
	struct stats *s, struct peer *peer, const struct wg_peer *is, const struct stats_now *now)
{
	struct peer_seen *seen = &peer->seen;
	const struct addr *to = &is->endpoint.addr;
	if (!to->family || addr_equal(to, &seen->place))
		return;
	bool moved = seen->place.family != 0, returned = false;
	if (moved) {
		returned = leave_place(seen, to, now->mono_ms);
		memmove(&seen->moves[1], &seen->moves[0],
			sizeof(seen->moves) - sizeof(seen->moves[0]));
		seen->moves[0] = now->mono_ms;
	}
	seen->place = *to;
	int64_t oldest = seen->moves[PEER_MOVES - 1];
	if (!returned || !oldest || now->mono_ms - oldest > FLAP_WINDOW_MS ||
		(seen->flapped_at && now->mono_ms - seen->flapped_at < FLAP_EVERY_MS))
		return;
	seen->flapped_at = now->mono_ms;
	log_warning("one key in two places device=%s", peer->id);
	send_edge(s, peer, is, "flapping");
}

static void note_counters(
	struct stats *s, struct peer *peer, const struct wg_peer *is, const struct stats_now *now)
{
	struct peer_seen *seen = &peer->seen;
	bool moved = seen->sent_handshake_at != is->handshake_at || seen->sent_rx != is->rx_bytes ||
		     seen->sent_tx != is->tx_bytes;
	if (!moved || (seen->sent_at && now->mono_ms - seen->sent_at < STATS_EVERY_MS))
		return;
	seen->sent_at = now->mono_ms;
	seen->sent_handshake_at = is->handshake_at;
	seen->sent_rx = is->rx_bytes;
	seen->sent_tx = is->tx_bytes;
	send_stats(s, peer, is);
}

void stats_note(struct stats *s, struct peer *peer, const struct wg_peer *is,
	const struct stats_now *now, struct stats_counts *counts)
{
	note_handshake(&peer->seen, is, now);
	note_online(s, peer, is, now);
	note_silence(s, peer, is, now);
	note_place(s, peer, is, now);
	note_counters(s, peer, is, now);
	counts->online += peer->seen.online;
	counts->silent += peer->seen.silent;
	counts->flapping +=
		peer->seen.flapped_at && now->mono_ms - peer->seen.flapped_at < FLAP_EVERY_MS;
}

void stats_leave(struct stats *s, struct peer *peer)
{
	static const struct wg_peer nowhere;
	if (peer->seen.online)
		send_edge(s, peer, &nowhere, "offline");
	peer->seen.online = false;
	peer->seen.alive_at = peer->seen.read_at = 0;
}
