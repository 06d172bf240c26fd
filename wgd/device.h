/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "wgd/key.h"
#include <stddef.h>

/* A WireGuard interface and its peers, as they should be or as they are. */
#define WG_ALLOWED_MAX 8

struct wg_peer {
	struct wg_key public_key;
	struct wg_key preshared_key; /* zero = none */
	struct prefix allowed[WG_ALLOWED_MAX];
	size_t allowed_count; /* what an actual peer has; above WG_ALLOWED_MAX only the first are
				 kept */
	/* Read from the interface only. */
	struct endpoint endpoint; /* family 0 = none */
	int64_t handshake_at;	  /* epoch ms, 0 = never */
	uint64_t rx_bytes, tx_bytes;
};

struct wg_device {
	struct wg_key private_key; /* zero = none */
	uint16_t port;
	struct wg_peer *peers;
	size_t count, cap;
	/* Of a device read: equal for the same keys, port and prefixes of one backend object's
	 * readings. 0 = unknown. */
	uint64_t fingerprint;
};

/* All functions below wipe keys when they free. */
void wg_device_init(struct wg_device *dev);
void wg_device_fini(struct wg_device *dev);
void wg_device_clear_peers(struct wg_device *dev);
/* Room for one more peer, zeroed; NULL without memory. Valid until the next call. */
struct wg_peer *wg_device_add(struct wg_device *dev);
void wg_peer_allow(struct wg_peer *peer, const struct prefix *prefix);
/* Same keys and same allowed prefixes in any order? What is only read does not count. */
bool wg_peer_equal(const struct wg_peer *a, const struct wg_peer *b);

enum wg_change_kind {
	WG_CHANGE_REMOVE, /* by its public key */
	WG_CHANGE_SET, /* add, or replace preshared key and allowed prefixes; keeps the session */
};

struct wg_change {
	enum wg_change_kind kind;
	struct wg_peer peer;
};

/* What is to be done to one interface. */
struct wg_changes {
	bool set_private_key, set_port;
	struct wg_key private_key;
	uint16_t port;
	struct wg_change *v;
	size_t count, cap;
	size_t removals; /* of count */
};

void wg_changes_init(struct wg_changes *c);
void wg_changes_fini(struct wg_changes *c);
bool wg_changes_is_empty(const struct wg_changes *c);
int wg_changes_add(struct wg_changes *c, enum wg_change_kind kind, const struct wg_peer *peer);
/* Takes the removals out. */
void wg_changes_drop_removals(struct wg_changes *c);
