/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/reconcile.h"

#include "common/hmap.h"
#include <errno.h>

static int index_peers(struct hmap *map, const struct wg_device *dev)
{
	for (size_t i = 0; i < dev->count; i++) {
		struct wg_peer *peer = &dev->peers[i];
		if (hmap_set(map, peer->public_key.bytes, sizeof(peer->public_key.bytes), peer))
			return -ENOMEM;
	}
	return 0;
}

static const struct wg_peer *find(const struct hmap *map, const struct wg_peer *peer)
{
	return hmap_find(map, peer->public_key.bytes, sizeof(peer->public_key.bytes));
}

int reconcile_diff(
	const struct wg_device *desired, const struct wg_device *actual, struct wg_changes *out)
{
	struct hmap wanted, there;
	wg_changes_init(out);
	hmap_init(&wanted, NULL);
	hmap_init(&there, NULL);
	int err = index_peers(&wanted, desired);
	if (!err)
		err = index_peers(&there, actual);
	for (size_t i = 0; i < actual->count && !err; i++)
		if (!find(&wanted, &actual->peers[i]))
			err = wg_changes_add(out, WG_CHANGE_REMOVE, &actual->peers[i]);
	for (size_t i = 0; i < desired->count && !err; i++) {
		const struct wg_peer *is = find(&there, &desired->peers[i]);
		if (!is || !wg_peer_equal(is, &desired->peers[i]))
			err = wg_changes_add(out, WG_CHANGE_SET, &desired->peers[i]);
	}
	hmap_fini(&wanted);
	hmap_fini(&there);
	if (err) {
		wg_changes_fini(out);
		return err;
	}
	out->set_private_key = !wg_key_equal(&desired->private_key, &actual->private_key);
	out->private_key = desired->private_key;
	out->set_port = desired->port != actual->port;
	out->port = desired->port;
	return 0;
}

bool reconcile_is_mass_removal(size_t removals, size_t actual_count)
{
	return removals * 2 > actual_count;
}
