/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/gateways.h"
#include "apid/store.h"

/*
 * What wgd tells of the devices' sessions, by its events `stats` and `peer`: last handshake, bytes,
 * from where. Kept in memory, for devices that there are; after a start it is unknown until a
 * session moves.
 */
struct peer_info {
	int64_t handshake_at;		 /* epoch ms, 0 = unknown */
	char rx_bytes[24], tx_bytes[24]; /* from and to the device; "" = unknown */
	char endpoint[ENDPOINT_STRLEN];	 /* "" = unknown */
	enum {
		PEER_UNTOLD,
		PEER_ONLINE,
		PEER_OFFLINE
	} edge; /* the last one, since the handshake */
};

struct peers {
	const struct store *store;
	struct hmap by_device; /* id → struct peer_info */
};

/* 0, or -errno when somebody else has the events. */
int peers_open(struct peers *p, const struct gateways *gateways, const struct store *store);
void peers_fini(struct peers *p);
/* NULL = nothing is known. */
const struct peer_info *peers_find(const struct peers *p, const char *device);
/* Has it a session? A handshake is good for 180 s (REJECT_AFTER_TIME). now: epoch ms. */
bool peer_is_online(const struct peer_info *i, int64_t now);
/* The device is gone. */
void peers_forget(struct peers *p, const char *device);
