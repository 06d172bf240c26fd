/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/stats.h"

#include <inttypes.h>
#include <stdio.h>

/* A session lives 180 s without a new handshake (REJECT_AFTER_TIME). */
enum { ONLINE_MS = 180000 };

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

static void send_edge(struct stats *s, const struct peer *peer, const struct wg_peer *is)
{
	cJSON *event = cJSON_CreateObject();
	cJSON_AddStringToObject(event, "device", peer->id);
	cJSON_AddStringToObject(event, "edge", peer->online ? "online" : "offline");
	add_endpoint(event, is);
	bus_event_send(s->bus, EVENT_wgd_peer, event);
}

void stats_take(struct stats *s, struct peers *peers, const struct wg_device *dev, int64_t now_ms)
{
	for (size_t i = 0; i < dev->count; i++) {
		const struct wg_peer *is = &dev->peers[i];
		struct peer *peer = peers_find_key(peers, &is->public_key);
		if (!peer)
			continue;
		bool online = is->handshake_at && now_ms - is->handshake_at < ONLINE_MS;
		bool moved = peer->handshake_at != is->handshake_at ||
			     peer->rx_bytes != is->rx_bytes || peer->tx_bytes != is->tx_bytes;
		bool edge = peer->online != online;
		peer->handshake_at = is->handshake_at;
		peer->rx_bytes = is->rx_bytes;
		peer->tx_bytes = is->tx_bytes;
		peer->online = online;
		if (moved)
			send_stats(s, peer, is);
		if (edge)
			send_edge(s, peer, is);
	}
}
