/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/peers.h"

#include "common/log.h"
#include "wgd/kfile.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *refusal_text(enum refusal r)
{
	static const char *const texts[REFUSALS] = {
		[REFUSAL_NONE] = "none",
		[REFUSAL_NO_DEVICE] = "no_device",
		[REFUSAL_NO_KEY] = "no_key",
		[REFUSAL_GRACE_OVER] = "grace_over",
		[REFUSAL_INVALID_ID] = "invalid_id",
		[REFUSAL_INVALID_KEY] = "invalid_key",
		[REFUSAL_INVALID_PRESHARED_KEY] = "invalid_preshared_key",
		[REFUSAL_OWN_KEY] = "own_key",
		[REFUSAL_DUPLICATE_KEY] = "duplicate_key",
		[REFUSAL_UNKNOWN_TUNNEL] = "unknown_tunnel",
		[REFUSAL_INVALID_ADDRESS] = "invalid_address",
		[REFUSAL_DUPLICATE_ADDRESS] = "duplicate_address",
		[REFUSAL_ADDRESS_OUTSIDE_TUNNEL] = "address_outside_tunnel",
		[REFUSAL_ADDRESS_RESERVED] = "address_reserved",
	};
	return texts[r];
}

static void free_peer(void *value)
{
	struct peer *peer = value;
	explicit_bzero(peer, sizeof(*peer));
	free(peer);
}

void peers_init(struct peers *p, const struct peer_tunnel *tunnels, size_t tunnel_count,
	const struct peers_ops *ops, void *arg)
{
	*p = (struct peers){
		.tunnels = tunnels, .tunnel_count = tunnel_count, .ops = ops, .arg = arg
	};
	hmap_init(&p->by_id, free_peer);
	hmap_init(&p->by_key, NULL);
	list_init(&p->dirty);
	list_init(&p->duplicates);
}

void peers_fini(struct peers *p)
{
	hmap_fini(&p->by_key);
	hmap_fini(&p->by_id);
}

/* The entry of that id, made when missing. -ENOMEM, -ENAMETOOLONG. */
static int get_peer(struct peers *p, const char *id, struct peer **out)
{
	struct peer *peer = hmap_find_str(&p->by_id, id);
	*out = peer;
	if (peer)
		return 0;
	if (strlen(id) >= sizeof(peer->id))
		return -ENAMETOOLONG;
	peer = calloc(1, sizeof(*peer));
	if (!peer || hmap_set_str(&p->by_id, id, peer)) {
		free(peer);
		return -ENOMEM;
	}
	strcpy(peer->id, id);
	peer->refusal = REFUSAL_NO_DEVICE;
	p->refused[REFUSAL_NO_DEVICE]++;
	list_init(&peer->dirty);
	list_init(&peer->duplicate);
	*out = peer;
	return 0;
}

static void mark(struct peers *p, struct peer *peer)
{
	if (list_is_empty(&peer->dirty))
		list_add(&p->dirty, &peer->dirty);
}

int peers_mark(struct peers *p, const char *id)
{
	struct peer *peer;
	int err = get_peer(p, id, &peer);
	if (!err)
		mark(p, peer);
	return err;
}

void peers_mark_all(struct peers *p)
{
	hmap_foreach (&p->by_id, it)
		mark(p, it.value);
}

static void note_leave(struct peers *p, const struct peer *peer)
{
	if (peer->leaves_at && (!p->next_leave || peer->leaves_at < p->next_leave))
		p->next_leave = peer->leaves_at;
}

bool peers_mark_leaving(struct peers *p, int64_t now_ms)
{
	bool any = false;
	p->next_leave = 0;
	hmap_foreach (&p->by_key, it) {
		struct peer *peer = it.value;
		if (peer->leaves_at > now_ms)
			note_leave(p, peer);
		if (!peer->leaves_at || peer->leaves_at > now_ms)
			continue;
		mark(p, peer);
		any = true;
	}
	return any;
}

int peers_set_key(struct peers *p, const char *id, const char *public_key,
	const char *preshared_key, bool wrong)
{
	struct peer *peer = NULL;
	/* A key that goes makes no entry. */
	int err = public_key || hmap_find_str(&p->by_id, id) ? get_peer(p, id, &peer) : 0;
	if (!peer)
		return err;
	wg_key_wipe(&peer->public_key);
	wg_key_wipe(&peer->preshared_key);
	peer->has_key = public_key != NULL;
	peer->key_wrong = public_key && wg_key_parse(public_key, &peer->public_key);
	peer->preshared_wrong =
		wrong || (preshared_key && wg_key_parse(preshared_key, &peer->preshared_key));
	mark(p, peer);
	return 0;
}

static const struct peer_tunnel *find_tunnel(const struct peers *p, const char *name)
{
	if (!name || !*name)
		return p->tunnel_count ? &p->tunnels[0] : NULL;
	for (size_t i = 0; i < p->tunnel_count; i++)
		if (!strcmp(p->tunnels[i].conf->name, name))
			return &p->tunnels[i];
	return NULL;
}

/* The network's and, for IPv4, the broadcast address; none in subnets of two addresses or one. */
static bool is_reserved(const struct prefix *subnet, const struct addr *a)
{
	size_t bits = addr_len(a) * 8;
	if (addr_equal(&subnet->addr, a))
		return true;
	if (subnet->len + 1u >= bits)
		return false;
	struct prefix network = prefix_network(subnet);
	if (addr_equal(&network.addr, a))
		return true;
	if (a->family != AF_INET)
		return false;
	for (size_t bit = subnet->len; bit < bits; bit++)
		network.addr.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return addr_equal(&network.addr, a);
}

enum refusal peer_judge_address(const struct conf_tunnel *conf, const struct addr *a)
{
	for (size_t i = 0; i < conf->addresses.n; i++)
		if (prefix_contains(&conf->addresses.v[i], a))
			return is_reserved(&conf->addresses.v[i], a) ? REFUSAL_ADDRESS_RESERVED
								     : REFUSAL_NONE;
	return REFUSAL_ADDRESS_OUTSIDE_TUNNEL;
}

static enum refusal judge_addresses(const struct conf_tunnel *conf, const struct peer_device *dev)
{
	if (!dev->address_count || dev->address_wrong)
		return REFUSAL_INVALID_ADDRESS;
	for (size_t i = 0; i < dev->address_count; i++) {
		enum refusal r = peer_judge_address(conf, &dev->addresses[i]);
		if (r != REFUSAL_NONE)
			return r;
	}
	return dev->address_taken ? REFUSAL_DUPLICATE_ADDRESS : REFUSAL_NONE;
}

static enum refusal judge_key(const struct peers *p, const struct peer *peer)
{
	if (!peer->has_key)
		return REFUSAL_NO_KEY;
	if (peer->key_wrong)
		return REFUSAL_INVALID_KEY;
	if (peer->preshared_wrong)
		return REFUSAL_INVALID_PRESHARED_KEY;
	for (size_t i = 0; i < p->tunnel_count; i++)
		if (wg_key_equal(&p->tunnels[i].public_key, &peer->public_key))
			return REFUSAL_OWN_KEY;
	const struct peer *holder = peers_find_key(p, &peer->public_key);
	return holder && holder != peer ? REFUSAL_DUPLICATE_KEY : REFUSAL_NONE;
}

static enum refusal judge(
	const struct peers *p, struct peer *peer, struct peer_device *dev, int64_t now_ms)
{
	if (!p->ops->find_device(p->arg, peer->id, dev))
		return REFUSAL_NO_DEVICE;
	if (!kfile_id_is_good(peer->id))
		return REFUSAL_INVALID_ID;
	const struct peer_tunnel *tunnel = find_tunnel(p, dev->tunnel);
	if (!tunnel)
		return REFUSAL_UNKNOWN_TUNNEL;
	peer->tunnel = (size_t)(tunnel - p->tunnels);
	peer->leaves_at = dev->leaves_at;
	peer->entitled = dev->entitled;
	enum refusal r = judge_addresses(tunnel->conf, dev);
	if (r == REFUSAL_NONE)
		r = judge_key(p, peer);
	if (r == REFUSAL_NONE && dev->leaves_at && dev->leaves_at <= now_ms)
		r = REFUSAL_GRACE_OVER;
	return r;
}

/* A peer under judgement, as it was before. */
struct was {
	struct peer *peer;
	enum refusal refusal;
	size_t tunnel;
	struct wg_peer wg;
	uint64_t counted_origin, counted_rx, counted_tx;
};

static bool keeps_key(const struct was *was)
{
	return was->refusal == REFUSAL_NONE && was->peer->has_key &&
	       wg_key_equal(&was->peer->public_key, &was->wg.public_key);
}

static int rank_of(const struct was *was)
{
	return keeps_key(was) ? 0 : was->refusal == REFUSAL_NONE ? 1 : 2;
}

/* Who keeps its key comes first, then who had another one, then by id. */
static int compare_was(const void *a, const void *b)
{
	const struct was *x = a, *y = b;
	int order = rank_of(x) - rank_of(y);
	return order ? order : strcmp(x->peer->id, y->peer->id);
}

/* A key that is kept stays there: that needs no memory. */
static void release(struct peers *p, struct was *was)
{
	struct peer *peer = was->peer;
	if (peer->refusal == REFUSAL_NONE && !keeps_key(was))
		hmap_take(&p->by_key, peer->wg.public_key.bytes, sizeof(peer->wg.public_key.bytes));
	p->refused[peer->refusal]--;
	list_remove(&peer->dirty);
	list_remove(&peer->duplicate);
}

/* Without memory it has none until it is judged again. */
static void take_key(struct peers *p, struct peer *peer)
{
	size_t len = sizeof(peer->public_key.bytes);
	if (peer->refusal != REFUSAL_NONE) {
		if (peers_find_key(p, &peer->public_key) == peer)
			hmap_take(&p->by_key, peer->public_key.bytes, len);
	} else if (hmap_set(&p->by_key, peer->public_key.bytes, len, peer)) {
		log_error("no memory for a peer device=%s", peer->id);
		peer->refusal = REFUSAL_NO_KEY;
		mark(p, peer);
	}
}

static void admit(struct peers *p, struct was *was, int64_t now_ms)
{
	struct peer *peer = was->peer;
	struct peer_device dev = { 0 };
	peer->refusal = judge(p, peer, &dev, now_ms);
	wg_key_wipe(&peer->wg.preshared_key);
	take_key(p, peer);
	p->refused[peer->refusal]++;
	if (peer->refusal == REFUSAL_NONE) {
		peer->wg = (struct wg_peer){ .public_key = peer->public_key,
			.preshared_key = peer->preshared_key };
		for (size_t i = 0; i < dev.address_count; i++) {
			struct prefix whole = { .addr = dev.addresses[i],
				.len = (uint8_t)(addr_len(&dev.addresses[i]) * 8) };
			wg_peer_allow(&peer->wg, &whole);
		}
		note_leave(p, peer);
	}
	if (peer->refusal == REFUSAL_DUPLICATE_KEY || peer->refusal == REFUSAL_DUPLICATE_ADDRESS)
		list_add(&p->duplicates, &peer->duplicate);
	if (peer->refusal >= REFUSAL_INVALID_KEY && peer->refusal != was->refusal)
		log_warning(
			"peer refused device=%s reason=%s", peer->id, refusal_text(peer->refusal));
}

/* Another device of the same tunnel has the key now: the peer goes on with its counters, which are
 * not the new holder's use. */
static void hand_over(const struct peers *p, const struct was *was)
{
	if (was->refusal != REFUSAL_NONE)
		return;
	struct peer *holder = peers_find_key(p, &was->wg.public_key);
	if (!holder || holder == was->peer || holder->tunnel != was->tunnel)
		return;
	holder->seen.counted_origin = was->counted_origin;
	holder->seen.counted_rx = was->counted_rx;
	holder->seen.counted_tx = was->counted_tx;
	holder->seen.handed_over = true;
}

static void report_left(const struct peers *p, const struct was *was)
{
	if (was->refusal == REFUSAL_NONE && was->peer->refusal != REFUSAL_NONE && p->ops->on_left)
		p->ops->on_left(p->arg, was->peer);
}

static void report_removal(const struct peers *p, const struct was *was)
{
	const struct peer *peer = was->peer;
	if (was->refusal != REFUSAL_NONE)
		return;
	if (peer->refusal == REFUSAL_NONE && peer->tunnel == was->tunnel &&
		wg_key_equal(&peer->wg.public_key, &was->wg.public_key))
		return;
	/* Another device of the same tunnel may have taken the key over: its SET does the rest. */
	const struct peer *holder = peers_find_key(p, &was->wg.public_key);
	if (!holder || holder->tunnel != was->tunnel)
		p->ops->on_change(p->arg, was->tunnel, WG_CHANGE_REMOVE, &was->wg);
}

static void report_set(const struct peers *p, const struct was *was)
{
	const struct peer *peer = was->peer;
	if (peer->refusal != REFUSAL_NONE)
		return;
	if (was->refusal == REFUSAL_NONE && peer->tunnel == was->tunnel &&
		wg_peer_equal(&peer->wg, &was->wg))
		return;
	p->ops->on_change(p->arg, peer->tunnel, WG_CHANGE_SET, &peer->wg);
}

static void forget(struct peers *p, struct peer *peer)
{
	if (peer->refusal != REFUSAL_NO_DEVICE || peer->has_key)
		return;
	p->refused[REFUSAL_NO_DEVICE]--;
	hmap_remove_str(&p->by_id, peer->id);
}

int peers_settle(struct peers *p, int64_t now_ms)
{
	size_t n = 0, count = 0;
	if (list_is_empty(&p->dirty))
		return 0;
	list_foreach (&p->duplicates, it)
		mark(p, container_of(it, struct peer, duplicate));
	list_foreach (&p->dirty, it)
		count++;
	assert(count); /* dirty was not empty */
	struct was *was = calloc(count, sizeof(*was));
	if (!was)
		return -ENOMEM;
	list_foreach (&p->dirty, it) {
		struct peer *peer = container_of(it, struct peer, dirty);
		was[n++] = (struct was){ .peer = peer,
			.refusal = peer->refusal,
			.tunnel = peer->tunnel,
			.wg = peer->wg,
			.counted_origin = peer->seen.counted_origin,
			.counted_rx = peer->seen.counted_rx,
			.counted_tx = peer->seen.counted_tx };
	}
	qsort(was, n, sizeof(*was), compare_was);
	for (size_t i = 0; i < n; i++)
		release(p, &was[i]);
	for (size_t i = 0; i < n; i++)
		admit(p, &was[i], now_ms);
	for (size_t i = 0; i < n; i++) {
		hand_over(p, &was[i]);
		report_left(p, &was[i]);
	}
	for (size_t i = 0; i < n; i++)
		report_removal(p, &was[i]);
	for (size_t i = 0; i < n; i++)
		report_set(p, &was[i]);
	for (size_t i = 0; i < n; i++)
		forget(p, was[i].peer);
	explicit_bzero(was, count * sizeof(*was));
	free(was);
	return 0;
}

bool peers_is_settled(const struct peers *p)
{
	return list_is_empty(&p->dirty);
}

const struct peer *peers_find(const struct peers *p, const char *id)
{
	const struct peer *peer = hmap_find_str(&p->by_id, id);
	return peer && peer->refusal != REFUSAL_NO_DEVICE ? peer : NULL;
}

struct peer *peers_find_key(const struct peers *p, const struct wg_key *public_key)
{
	return hmap_find(&p->by_key, public_key->bytes, sizeof(public_key->bytes));
}

int peers_build(const struct peers *p, size_t tunnel, struct wg_device *out)
{
	hmap_foreach (&p->by_key, it) {
		const struct peer *peer = it.value;
		if (peer->tunnel != tunnel)
			continue;
		struct wg_peer *to = wg_device_add(out);
		if (!to)
			return -ENOMEM;
		*to = peer->wg;
	}
	return 0;
}
