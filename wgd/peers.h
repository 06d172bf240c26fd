/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/hmap.h"
#include "common/list.h"
#include "wgd/device.h"

/*
 * The desired peers (W3, W4, W8): devices and their keys, checked, each either a peer of one tunnel
 * or refused with a named reason. Pure but for the two callbacks. Work is done for what changed
 * only: mark, then settle.
 */
enum refusal {
	REFUSAL_NONE,
	REFUSAL_NO_DEVICE,  /* there is no such device; of no peer that peers_find gives */
	REFUSAL_NO_KEY,	    /* the device has no key yet: no peer, and no fault */
	REFUSAL_GRACE_OVER, /* expired_grace_days after expires_at. Nothing else that ends an
			     * entitlement has a date; such a device stays a (walled) peer until it
			     * is removed or its expires_at ends it */
	REFUSAL_INVALID_KEY,
	REFUSAL_INVALID_ID,
	REFUSAL_INVALID_PRESHARED_KEY,
	REFUSAL_OWN_KEY, /* the key of one of our tunnels */
	REFUSAL_DUPLICATE_KEY,
	REFUSAL_UNKNOWN_TUNNEL,
	REFUSAL_INVALID_ADDRESS, /* none, or one that is no address */
	REFUSAL_DUPLICATE_ADDRESS,
	REFUSAL_ADDRESS_OUTSIDE_TUNNEL,
	REFUSAL_ADDRESS_RESERVED, /* the gateway's own, the network's or the broadcast address */
	REFUSALS
};
/* "duplicate_key" … as given in answers and logs. */
const char *refusal_text(enum refusal r);
/* May a device have this address in the tunnel? REFUSAL_NONE, _OUTSIDE_TUNNEL, _RESERVED. */
enum refusal peer_judge_address(const struct conf_tunnel *conf, const struct addr *a);

/* What the directory knows of a device. */
struct peer_device {
	const char *tunnel; /* name; NULL or "" = the first */
	struct addr addresses[WG_ALLOWED_MAX];
	size_t address_count;
	bool address_wrong; /* one of the record's addresses is none */
	bool address_taken; /* one belongs to another device */
	int64_t leaves_at;  /* epoch ms from when on it is no peer any more, 0 = never */
	bool entitled;	    /* as of now; one that is not stays a peer until leaves_at */
};

struct peer_tunnel {
	const struct conf_tunnel *conf;
	struct wg_key public_key;
};

/* What the readings of the interface have shown, kept by stats.c and readings.c. Times are
 * monotonic ms, 0 = never, but handshake_at: epoch ms. */
enum { PEER_PLACES = 3, PEER_MOVES = 3 };
struct peer_seen {
	int64_t read_at;
	int64_t handshake_at;
	int64_t alive_at;  /* of the last handshake; without one, the first reading */
	int64_t walled_at; /* last reading that found it not entitled */
	bool online, silent;
	struct addr place; /* where the endpoint is */
	struct peer_place {
		struct addr addr;
		int64_t left_at;
	} places[PEER_PLACES];	   /* where it was before */
	int64_t moves[PEER_MOVES]; /* latest changes of place, newest first */
	int64_t flapped_at;
	int64_t sent_at, sent_handshake_at; /* of the last statistics, and what they said */
	uint64_t sent_rx, sent_tx;
	uint64_t counted_origin, counted_rx, counted_tx; /* as given to the usage */
	bool handed_over; /* counted_* are those of the device that had the key before */
};

struct peer {
	char id[65];
	/* From device_keys. */
	bool has_key, key_wrong, preshared_wrong;
	struct wg_key public_key, preshared_key;
	/* What settle made of it. */
	enum refusal refusal; /* REFUSAL_NONE = it is a peer of tunnel, as wg says */
	size_t tunnel;
	struct wg_peer wg;
	int64_t leaves_at;
	struct list dirty, duplicate; /* rings of struct peers */
	bool entitled;
	struct peer_seen seen;
};

struct peers_ops {
	/* The device of that id; false when there is none. */
	bool (*find_device)(void *arg, const char *id, struct peer_device *out);
	/* A change of the desired peers of one tunnel; all removals of a settle come first. */
	void (*on_change)(
		void *arg, size_t tunnel, enum wg_change_kind kind, const struct wg_peer *peer);
	/* It was a peer, and is none any more. May be NULL. */
	void (*on_left)(void *arg, struct peer *peer);
};

struct peers {
	const struct peer_tunnel *tunnels;
	size_t tunnel_count;
	const struct peers_ops *ops;
	void *arg;
	struct hmap by_id;  /* id → struct peer */
	struct hmap by_key; /* public key of accepted peers → struct peer */
	struct list dirty, duplicates;
	size_t refused[REFUSALS]; /* how many at present; [REFUSAL_NONE] = accepted */
	int64_t next_leave;	  /* epoch ms: no peer leaves before, 0 = none does */
};

/* tunnels and ops are kept, not copied. */
void peers_init(struct peers *p, const struct peer_tunnel *tunnels, size_t tunnel_count,
	const struct peers_ops *ops, void *arg);
void peers_fini(struct peers *p);
/* The record of device_keys; public_key NULL = gone. preshared_key NULL = none; wrong = the record
 * has a restricting field that could not be read. -ENOMEM, -ENAMETOOLONG. */
int peers_set_key(struct peers *p, const char *id, const char *public_key,
	const char *preshared_key, bool wrong);
/* The device changed, appeared or went. -ENOMEM, -ENAMETOOLONG. */
int peers_mark(struct peers *p, const char *id);
void peers_mark_all(struct peers *p);
/* Marks peers whose leaves_at has passed and looks for the next_leave. Were there any? */
bool peers_mark_leaving(struct peers *p, int64_t now_ms);
/*
 * Judges what is marked, and who was refused as a duplicate, and reports the differences. Of
 * several with the same key the present holder keeps it, else the smallest id gets it. -ENOMEM
 * changes nothing. A new key that there is no memory for leaves its peer marked.
 */
int peers_settle(struct peers *p, int64_t now_ms);
bool peers_is_settled(const struct peers *p);
/* The device's peer or refusal; NULL when there is no such device (or only its key). */
const struct peer *peers_find(const struct peers *p, const char *id);
struct peer *peers_find_key(const struct peers *p, const struct wg_key *public_key);
/* Appends the desired peers of one tunnel. -ENOMEM. */
int peers_build(const struct peers *p, size_t tunnel, struct wg_device *out);
