/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSION_MS = 180000 };

static struct peer_info *take(struct peers *p, const char *device)
{
	struct peer_info *i = hmap_find_str(&p->by_device, device);

	if (i || !table_find(store_table(p->store, TOPIC_devices), device))
		return i;
	i = calloc(1, sizeof(*i));
	if (i && hmap_set_str(&p->by_device, device, i)) {
		free(i);
		return NULL;
	}
	return i;
}

static void copy(char *out, size_t size, const char *text)
{
	if (text)
		snprintf(out, size, "%s", text);
}

static void on_stats(void *arg, enum bus_event ev, const void *rec)
{
	const struct rec_peer_stats *r = rec;
	struct peer_info *i = take(arg, r->device);

	(void)ev;
	if (!i)
		return;
	if (r->handshake_at > i->handshake_at) {
		i->handshake_at = r->handshake_at;
		i->edge = PEER_UNTOLD;
	}
	copy(i->rx_bytes, sizeof(i->rx_bytes), r->rx_bytes);
	copy(i->tx_bytes, sizeof(i->tx_bytes), r->tx_bytes);
	copy(i->endpoint, sizeof(i->endpoint), r->endpoint);
}

static void on_edge(void *arg, enum bus_event ev, const void *rec)
{
	const struct rec_peer_event *r = rec;
	bool is_online = !strcmp(r->edge, "online");
	struct peer_info *i =
		is_online || !strcmp(r->edge, "offline") ? take(arg, r->device) : NULL;

	(void)ev;
	if (!i)
		return;
	i->edge = is_online ? PEER_ONLINE : PEER_OFFLINE;
	copy(i->endpoint, sizeof(i->endpoint), r->endpoint);
}

int peers_open(struct peers *p, const struct gateways *gateways, const struct store *store)
{
	int err;

	p->store = store;
	hmap_init(&p->by_device, free);
	err = gateways_event_subscribe(gateways, EVENT_wgd_stats, on_stats, p);
	return err ? err : gateways_event_subscribe(gateways, EVENT_wgd_peer, on_edge, p);
}

void peers_fini(struct peers *p)
{
	hmap_fini(&p->by_device);
}

const struct peer_info *peers_find(const struct peers *p, const char *device)
{
	return hmap_find_str(&p->by_device, device);
}

bool peer_is_online(const struct peer_info *i, int64_t now)
{
	if (i->edge == PEER_OFFLINE)
		return false;
	return i->handshake_at ? now - i->handshake_at < SESSION_MS : i->edge == PEER_ONLINE;
}

void peers_forget(struct peers *p, const char *device)
{
	hmap_remove_str(&p->by_device, device);
}
