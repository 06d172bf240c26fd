/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/peers.h"

#include "common/log.h"
#include "tests/unit/no_memory.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

/* Devices d0 … d7 as a fake directory, and the peers that the reported changes make. */
enum { DEVICES = 8 };

struct world {
	struct peers peers;
	struct peer_tunnel tunnels[2];
	struct conf_tunnel conf[2];
	struct prefix addresses[2][2];
	bool there[DEVICES];
	struct peer_device devices[DEVICES];
	struct wg_peer is[2][DEVICES * 2];
	size_t count[2], sets, removals;
};

static const char key_a[] = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
static const char key_b[] = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
static const char key_own[] = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";

static bool find_device(void *arg, const char *id, struct peer_device *out)
{
	struct world *w = arg;
	int i = id[1] - '0';
	*out = w->devices[i];
	return w->there[i];
}

static void on_change(
	void *arg, size_t tunnel, enum wg_change_kind kind, const struct wg_peer *peer)
{
	struct world *w = arg;
	size_t i = 0;
	while (i < w->count[tunnel] &&
		!wg_key_equal(&w->is[tunnel][i].public_key, &peer->public_key))
		i++;
	if (kind == WG_CHANGE_REMOVE) {
		w->removals++;
		OK(i < w->count[tunnel]);
		w->is[tunnel][i] = w->is[tunnel][--w->count[tunnel]];
		return;
	}
	w->sets++;
	w->is[tunnel][i] = *peer;
	if (i == w->count[tunnel])
		w->count[tunnel]++;
}

static const struct peers_ops ops = { find_device, on_change, NULL };

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	prefix_parse("10.9.0.1/24", &w->addresses[0][0]);
	prefix_parse("fd09::1/64", &w->addresses[0][1]);
	prefix_parse("10.8.0.1/24", &w->addresses[1][0]);
	static char names[2][8] = { "mitm", "plain" };
	for (size_t i = 0; i < 2; i++) {
		w->conf[i] = (struct conf_tunnel){ .name = names[i],
			.addresses = { w->addresses[i], i ? 1 : 2 } };
		w->tunnels[i].conf = &w->conf[i];
	}
	wg_key_parse(key_own, &w->tunnels[1].public_key);
	peers_init(&w->peers, w->tunnels, 2, &ops, w);
	return w;
}

static void world_free(struct world *w)
{
	peers_fini(&w->peers);
	free(w);
}

static void put(
	struct world *w, int i, const char *tunnel, const char *address, const char *address6)
{
	char id[] = { 'd', (char)('0' + i), 0 };
	struct peer_device *dev = &w->devices[i];
	*dev = (struct peer_device){ .tunnel = tunnel };
	addr_parse(address, &dev->addresses[dev->address_count++]);
	if (address6)
		addr_parse(address6, &dev->addresses[dev->address_count++]);
	w->there[i] = true;
	peers_mark(&w->peers, id);
}

static void settle(struct world *w)
{
	w->sets = w->removals = 0;
	INT_IS(peers_settle(&w->peers, 1000), 0);
	OK(peers_is_settled(&w->peers));
}

static void test_device_with_key_becomes_a_peer_of_its_tunnel(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", "fd09::2");
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	settle(w);
	INT_IS(w->count[0], 1);
	INT_IS(w->is[0][0].allowed_count, 2);
	INT_IS(w->is[0][0].allowed[1].len, 128);
	INT_IS(w->peers.refused[REFUSAL_NONE], 1);
	world_free(w);
}

static void test_device_without_key_is_no_peer_and_no_fault(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", NULL);
	settle(w);
	INT_IS(w->count[0], 0);
	INT_IS(peers_find(&w->peers, "d0")->refusal, REFUSAL_NO_KEY);
	world_free(w);
}

static void test_unchanged_device_is_left_alone(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", NULL);
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	settle(w);
	peers_mark_all(&w->peers);
	settle(w);
	INT_IS(w->sets + w->removals, 0);
	world_free(w);
}

/* W3: what it was when it was found: a peer whose key there was no memory for was none for ever,
 * and a live one too. */
static void test_a_key_without_memory_comes_in_force_later_and_live_peers_stay(void)
{
	bool was = true;
	for (unsigned n = 1; was && tap_ok; n++) {
		struct world *w = world_new();
		put(w, 0, "mitm", "10.9.0.2", NULL);
		peers_set_key(&w->peers, "d0", key_a, NULL, false);
		settle(w);
		w->sets = w->removals = 0;
		put(w, 0, "mitm", "10.9.0.4", NULL);
		no_memory_at(n);
		no_memory_switch(true);
		put(w, 1, "mitm", "10.9.0.3", NULL);
		int err = peers_set_key(&w->peers, "d1", key_b, NULL, false);
		int settled = peers_settle(&w->peers, 1000);
		no_memory_switch(false);
		was = no_memory_was();
		INT_IS(w->removals, 0);
		OK(!was || err || settled || !peers_is_settled(&w->peers) || w->count[0] == 2);
		no_memory_at(0);
		put(w, 1, "mitm", "10.9.0.3", NULL);
		if (err)
			INT_IS(peers_set_key(&w->peers, "d1", key_b, NULL, false), 0);
		INT_IS(peers_settle(&w->peers, 1000), 0);
		INT_IS(w->removals, 0);
		INT_IS(w->count[0], 2);
		OK(was || n > 3);
		world_free(w);
	}
}

static void test_who_keeps_its_key_goes_before_who_takes_it_from_another(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", NULL);
	put(w, 1, "mitm", "10.9.0.3", NULL);
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	peers_set_key(&w->peers, "d1", key_b, NULL, false);
	settle(w);
	peers_set_key(&w->peers, "d0", key_b, NULL, false);
	peers_mark(&w->peers, "d1");
	settle(w);
	INT_IS(peers_find(&w->peers, "d0")->refusal, REFUSAL_DUPLICATE_KEY);
	INT_IS(peers_find(&w->peers, "d1")->refusal, REFUSAL_NONE);
	/* It goes, and with the same settling the other one has it. */
	w->there[1] = false;
	peers_mark(&w->peers, "d1");
	settle(w);
	INT_IS(peers_find(&w->peers, "d0")->refusal, REFUSAL_NONE);
	INT_IS(w->count[0], 1);
	world_free(w);
}

/* W8: each kind of bad input by its name, nothing applied. */
static void refused(const char *tunnel, const char *address, const char *address6, const char *key,
	const char *preshared, enum refusal want)
{
	struct world *w = world_new();
	put(w, 0, tunnel, address, address6);
	peers_set_key(&w->peers, "d0", key, preshared, false);
	settle(w);
	INT_IS(w->count[0] + w->count[1], 0);
	STR_IS(refusal_text(peers_find(&w->peers, "d0")->refusal), refusal_text(want));
	INT_IS(w->peers.refused[want], 1);
	world_free(w);
}

static void test_refuses_an_invalid_key(void)
{
	refused("mitm", "10.9.0.2", NULL, "no key at all", NULL, REFUSAL_INVALID_KEY);
}

static void test_refuses_an_invalid_preshared_key(void)
{
	refused("mitm", "10.9.0.2", NULL, key_a, "x", REFUSAL_INVALID_PRESHARED_KEY);
}

static void test_refuses_the_key_of_a_tunnel(void)
{
	refused("mitm", "10.9.0.2", NULL, key_own, NULL, REFUSAL_OWN_KEY);
}

static void test_refuses_an_unknown_tunnel(void)
{
	refused("nowhere", "10.9.0.2", NULL, key_a, NULL, REFUSAL_UNKNOWN_TUNNEL);
}

static void test_refuses_an_address_outside_the_tunnel(void)
{
	refused("mitm", "10.8.0.2", NULL, key_a, NULL, REFUSAL_ADDRESS_OUTSIDE_TUNNEL);
	refused("mitm", "10.9.0.2", "fd0a::2", key_a, NULL, REFUSAL_ADDRESS_OUTSIDE_TUNNEL);
	refused("plain", "10.8.0.2", "fd09::2", key_a, NULL, REFUSAL_ADDRESS_OUTSIDE_TUNNEL);
}

static void test_refuses_reserved_addresses(void)
{
	refused("mitm", "10.9.0.1", NULL, key_a, NULL, REFUSAL_ADDRESS_RESERVED);
	refused("mitm", "10.9.0.0", NULL, key_a, NULL, REFUSAL_ADDRESS_RESERVED);
	refused("mitm", "10.9.0.255", NULL, key_a, NULL, REFUSAL_ADDRESS_RESERVED);
	refused("mitm", "10.9.0.2", "fd09::1", key_a, NULL, REFUSAL_ADDRESS_RESERVED);
	refused("mitm", "10.9.0.2", "fd09::", key_a, NULL, REFUSAL_ADDRESS_RESERVED);
}

static void test_refuses_a_device_without_address(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", NULL);
	w->devices[0].address_count = 0;
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	settle(w);
	INT_IS(peers_find(&w->peers, "d0")->refusal, REFUSAL_INVALID_ADDRESS);
	world_free(w);
}

static void test_second_with_a_key_is_refused_until_the_first_goes(void)
{
	struct world *w = world_new();
	put(w, 1, "mitm", "10.9.0.2", NULL);
	peers_set_key(&w->peers, "d1", key_a, NULL, false);
	settle(w);
	put(w, 0, "mitm", "10.9.0.3", NULL);
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	settle(w);
	INT_IS(w->sets + w->removals, 0);
	INT_IS(peers_find(&w->peers, "d0")->refusal, REFUSAL_DUPLICATE_KEY);
	w->there[1] = false;
	peers_mark(&w->peers, "d1");
	settle(w);
	INT_IS(w->count[0], 1);
	INT_IS(w->is[0][0].allowed[0].addr.bytes[3], 3);
	OK(!peers_find(&w->peers, "d1"));
	world_free(w);
}

static void test_address_of_another_device_is_refused(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", NULL);
	w->devices[0].address_taken = true;
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	settle(w);
	INT_IS(peers_find(&w->peers, "d0")->refusal, REFUSAL_DUPLICATE_ADDRESS);
	w->devices[0].address_taken = false;
	put(w, 3, "mitm", "10.9.0.9", NULL); /* any change looks at duplicates again */
	settle(w);
	INT_IS(w->count[0], 1);
	world_free(w);
}

static void test_new_key_replaces_the_old_peer(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", NULL);
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	settle(w);
	peers_set_key(&w->peers, "d0", key_b, NULL, false);
	settle(w);
	INT_IS(w->removals, 1);
	INT_IS(w->sets, 1);
	INT_IS(w->count[0], 1);
	world_free(w);
}

static void test_swapped_keys_end_right(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", NULL);
	put(w, 1, "mitm", "10.9.0.3", NULL);
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	peers_set_key(&w->peers, "d1", key_b, NULL, false);
	settle(w);
	peers_set_key(&w->peers, "d0", key_b, NULL, false);
	peers_set_key(&w->peers, "d1", key_a, NULL, false);
	settle(w);
	INT_IS(w->removals, 0);
	INT_IS(w->sets, 2);
	INT_IS(w->count[0], 2);
	world_free(w);
}

static void test_other_tunnel_moves_the_peer(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", NULL);
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	settle(w);
	put(w, 0, "plain", "10.8.0.2", NULL);
	settle(w);
	INT_IS(w->count[0], 0);
	INT_IS(w->count[1], 1);
	world_free(w);
}

/* W4: the peer goes away when the grace days are over, and comes back on renewal. */
static void test_peer_leaves_after_the_grace_days(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", NULL);
	w->devices[0].leaves_at = 5000;
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	settle(w);
	INT_IS(w->count[0], 1);
	INT_IS(w->peers.next_leave, 5000);
	put(w, 1, "mitm", "10.9.0.3", NULL);
	w->devices[1].leaves_at = 7000;
	peers_set_key(&w->peers, "d1", key_b, NULL, false);
	settle(w);
	INT_IS(w->peers.next_leave, 5000);
	OK(!peers_mark_leaving(&w->peers, 4999));
	OK(peers_mark_leaving(&w->peers, 5000));
	INT_IS(w->peers.next_leave, 7000);
	INT_IS(peers_settle(&w->peers, 5000), 0);
	INT_IS(w->count[0], 1);
	w->devices[0].leaves_at = 9000;
	peers_mark(&w->peers, "d0");
	INT_IS(peers_settle(&w->peers, 5000), 0);
	INT_IS(w->count[0], 2);
	world_free(w);
}

static void test_what_is_gone_is_forgotten(void)
{
	struct world *w = world_new();
	put(w, 0, "mitm", "10.9.0.2", NULL);
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	settle(w);
	w->there[0] = false;
	peers_mark(&w->peers, "d0");
	peers_set_key(&w->peers, "d0", NULL, NULL, false);
	settle(w);
	INT_IS(w->count[0], 0);
	INT_IS(w->peers.by_id.count, 0);
	world_free(w);
}

static void test_build_gives_what_was_reported(void)
{
	struct world *w = world_new();
	struct wg_device dev;
	put(w, 0, "mitm", "10.9.0.2", NULL);
	put(w, 1, "plain", "10.8.0.2", NULL);
	peers_set_key(&w->peers, "d0", key_a, NULL, false);
	peers_set_key(&w->peers, "d1", key_b, NULL, false);
	settle(w);
	wg_device_init(&dev);
	INT_IS(peers_build(&w->peers, 1, &dev), 0);
	INT_IS(dev.count, 1);
	OK(wg_peer_equal(&dev.peers[0], &w->is[1][0]));
	wg_device_fini(&dev);
	world_free(w);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	TAP_RUN(test_device_with_key_becomes_a_peer_of_its_tunnel);
	TAP_RUN(test_device_without_key_is_no_peer_and_no_fault);
	TAP_RUN(test_unchanged_device_is_left_alone);
	TAP_RUN(test_a_key_without_memory_comes_in_force_later_and_live_peers_stay);
	TAP_RUN(test_who_keeps_its_key_goes_before_who_takes_it_from_another);
	TAP_RUN(test_refuses_an_invalid_key);
	TAP_RUN(test_refuses_an_invalid_preshared_key);
	TAP_RUN(test_refuses_the_key_of_a_tunnel);
	TAP_RUN(test_refuses_an_unknown_tunnel);
	TAP_RUN(test_refuses_an_address_outside_the_tunnel);
	TAP_RUN(test_refuses_reserved_addresses);
	TAP_RUN(test_refuses_a_device_without_address);
	TAP_RUN(test_second_with_a_key_is_refused_until_the_first_goes);
	TAP_RUN(test_address_of_another_device_is_refused);
	TAP_RUN(test_new_key_replaces_the_old_peer);
	TAP_RUN(test_swapped_keys_end_right);
	TAP_RUN(test_other_tunnel_moves_the_peer);
	TAP_RUN(test_peer_leaves_after_the_grace_days);
	TAP_RUN(test_what_is_gone_is_forgotten);
	TAP_RUN(test_build_gives_what_was_reported);
	return tap_done();
}
