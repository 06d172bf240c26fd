/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/reconcile.h"

#include "tests/unit/tap.h"
#include <stdlib.h>

enum { KEYS = 24, ADDRESSES = 24, SEQUENCES = 200, STEPS = 20 };

/* What an interface does with changes: a prefix belongs to one peer, the last that was given it. */
struct model {
	bool there[KEYS];
	uint8_t preshared[KEYS];
	int holder[ADDRESSES];	 /* key, -1 = none */
	unsigned sessions[KEYS]; /* number of the life of a peer: a removal ends its session */
};

static struct wg_key key_of(int i)
{
	struct wg_key key = { { (uint8_t)(i + 1), 7 } };
	return key;
}

static struct prefix prefix_of(int i)
{
	struct prefix p = { .addr = { .family = AF_INET, .bytes = { 10, 9, 0, (uint8_t)(i + 2) } },
		.len = 32 };
	return p;
}

static void build(const struct model *m, struct wg_device *dev)
{
	wg_device_init(dev);
	for (int k = 0; k < KEYS; k++) {
		if (!m->there[k])
			continue;
		struct wg_peer *peer = wg_device_add(dev);
		peer->public_key = key_of(k);
		peer->preshared_key.bytes[0] = m->preshared[k];
		for (int a = 0; a < ADDRESSES; a++) {
			struct prefix p = prefix_of(a);
			if (m->holder[a] == k)
				wg_peer_allow(peer, &p);
		}
	}
}

static void apply(struct model *m, const struct wg_changes *c)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct wg_peer *peer = &c->v[i].peer;
		int k = peer->public_key.bytes[0] - 1;
		for (int a = 0; a < ADDRESSES; a++)
			if (m->holder[a] == k)
				m->holder[a] = -1;
		m->there[k] = c->v[i].kind == WG_CHANGE_SET;
		if (c->v[i].kind == WG_CHANGE_REMOVE) {
			m->sessions[k]++;
			continue;
		}
		m->preshared[k] = peer->preshared_key.bytes[0];
		for (size_t p = 0; p < peer->allowed_count; p++)
			m->holder[peer->allowed[p].addr.bytes[3] - 2] = k;
	}
}

static void change_at_random(struct model *m)
{
	for (int n = rand() % 6; n >= 0; n--) {
		int k = rand() % KEYS;
		m->there[k] = rand() % 3;
		m->preshared[k] = (uint8_t)(m->there[k] ? rand() % 2 : 0);
		for (int a = 0; a < ADDRESSES; a++)
			if (m->holder[a] == k && !m->there[k])
				m->holder[a] = -1;
		if (m->there[k])
			m->holder[rand() % ADDRESSES] = k;
	}
}

static bool same(const struct model *a, const struct model *b)
{
	return !memcmp(a->there, b->there, sizeof(a->there)) &&
	       !memcmp(a->holder, b->holder, sizeof(a->holder));
}

static void init(struct model *m)
{
	*m = (struct model){ 0 };
	for (int a = 0; a < ADDRESSES; a++)
		m->holder[a] = -1;
}

/* W3: 200 random sequences end as desired, and peers that stay wanted keep their session. */
static void test_random_sequences_converge_and_keep_sessions(void)
{
	srand(20240607);
	for (int s = 0; s < SEQUENCES; s++) {
		struct model want, is;
		init(&want);
		init(&is);
		for (int step = 0; step < STEPS; step++) {
			struct wg_device desired, actual;
			struct wg_changes c;
			struct model before;
			change_at_random(&want);
			if (rand() % 4 == 0)
				change_at_random(&is); /* somebody's hand */
			before = is;
			build(&want, &desired);
			build(&is, &actual);
			INT_IS(reconcile_diff(&desired, &actual, &c), 0);
			apply(&is, &c);
			OK(same(&want, &is));
			for (int k = 0; k < KEYS; k++)
				if (want.there[k] && before.there[k])
					INT_IS(is.sessions[k], before.sessions[k]);
			wg_changes_fini(&c);
			wg_device_fini(&actual);
			build(&is, &actual);
			INT_IS(reconcile_diff(&desired, &actual, &c), 0);
			OK(wg_changes_is_empty(&c));
			wg_changes_fini(&c);
			wg_device_fini(&actual);
			wg_device_fini(&desired);
		}
	}
}

static void test_same_peers_in_another_order_are_no_change(void)
{
	struct model m;
	struct wg_device a, b;
	struct wg_changes c;
	init(&m);
	for (int k = 0; k < 4; k++) {
		m.there[k] = true;
		m.holder[k] = m.holder[k + 4] = k;
	}
	build(&m, &a);
	build(&m, &b);
	for (size_t i = 0; i < 2; i++) {
		struct wg_peer peer = b.peers[i];
		b.peers[i] = b.peers[3 - i];
		b.peers[3 - i] = peer;
		struct prefix p = b.peers[i].allowed[0];
		b.peers[i].allowed[0] = b.peers[i].allowed[1];
		b.peers[i].allowed[1] = p;
	}
	INT_IS(reconcile_diff(&a, &b, &c), 0);
	OK(wg_changes_is_empty(&c));
	wg_changes_fini(&c);
	wg_device_fini(&a);
	wg_device_fini(&b);
}

static void test_device_settings_are_set_when_they_differ(void)
{
	struct wg_device want, is;
	struct wg_changes c;
	wg_device_init(&want);
	wg_device_init(&is);
	want.port = 51820;
	want.private_key = key_of(3);
	INT_IS(reconcile_diff(&want, &is, &c), 0);
	OK(c.set_port && c.set_private_key && !c.count);
	wg_changes_fini(&c);
	is = want;
	INT_IS(reconcile_diff(&want, &is, &c), 0);
	OK(wg_changes_is_empty(&c));
	wg_changes_fini(&c);
}

static void test_more_than_half_is_a_mass_removal(void)
{
	OK(!reconcile_is_mass_removal(0, 0));
	OK(!reconcile_is_mass_removal(5, 10));
	OK(reconcile_is_mass_removal(6, 10));
	OK(reconcile_is_mass_removal(1, 1));
}

int main(void)
{
	TAP_RUN(test_random_sequences_converge_and_keep_sessions);
	TAP_RUN(test_same_peers_in_another_order_are_no_change);
	TAP_RUN(test_device_settings_are_set_when_they_differ);
	TAP_RUN(test_more_than_half_is_a_mass_removal);
	return tap_done();
}
