/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for one more element; the old memory held keys, so it is wiped. */
static int grow(void **v, size_t *cap, size_t count, size_t size)
{
	if (count < *cap)
		return 0;
	size_t next = *cap ? *cap * 2 : 16;
	void *bigger = calloc(next, size);
	if (!bigger)
		return -ENOMEM;
	if (*v) {
		memcpy(bigger, *v, count * size);
		explicit_bzero(*v, count * size);
		free(*v);
	}
	*v = bigger;
	*cap = next;
	return 0;
}

void wg_device_init(struct wg_device *dev)
{
	*dev = (struct wg_device){ 0 };
}

void wg_device_fini(struct wg_device *dev)
{
	wg_device_clear_peers(dev);
	free(dev->peers);
	explicit_bzero(dev, sizeof(*dev));
}

void wg_device_clear_peers(struct wg_device *dev)
{
	if (dev->peers)
		explicit_bzero(dev->peers, dev->count * sizeof(*dev->peers));
	dev->count = 0;
}

struct wg_peer *wg_device_add(struct wg_device *dev)
{
	if (grow((void **)&dev->peers, &dev->cap, dev->count, sizeof(*dev->peers)))
		return NULL;
	struct wg_peer *peer = &dev->peers[dev->count++];
	*peer = (struct wg_peer){ 0 };
	return peer;
}

void wg_peer_allow(struct wg_peer *peer, const struct prefix *prefix)
{
	if (peer->allowed_count < WG_ALLOWED_MAX)
		peer->allowed[peer->allowed_count] = *prefix;
	peer->allowed_count++;
}

static bool peer_allows(const struct wg_peer *peer, const struct prefix *prefix)
{
	for (size_t i = 0; i < peer->allowed_count; i++)
		if (peer->allowed[i].len == prefix->len &&
			addr_equal(&peer->allowed[i].addr, &prefix->addr))
			return true;
	return false;
}

bool wg_peer_equal(const struct wg_peer *a, const struct wg_peer *b)
{
	if (!wg_key_equal(&a->public_key, &b->public_key) ||
		!wg_key_equal(&a->preshared_key, &b->preshared_key) ||
		a->allowed_count != b->allowed_count || a->allowed_count > WG_ALLOWED_MAX)
		return false;
	for (size_t i = 0; i < a->allowed_count; i++)
		if (!peer_allows(b, &a->allowed[i]))
			return false;
	return true;
}

void wg_changes_init(struct wg_changes *c)
{
	*c = (struct wg_changes){ 0 };
}

void wg_changes_fini(struct wg_changes *c)
{
	if (c->v)
		explicit_bzero(c->v, c->count * sizeof(*c->v));
	free(c->v);
	explicit_bzero(c, sizeof(*c));
}

bool wg_changes_is_empty(const struct wg_changes *c)
{
	return !c->set_private_key && !c->set_port && !c->count;
}

int wg_changes_add(struct wg_changes *c, enum wg_change_kind kind, const struct wg_peer *peer)
{
	int err = grow((void **)&c->v, &c->cap, c->count, sizeof(*c->v));
	if (err)
		return err;
	c->v[c->count++] = (struct wg_change){ .kind = kind, .peer = *peer };
	c->removals += kind == WG_CHANGE_REMOVE;
	return 0;
}

void wg_changes_drop_removals(struct wg_changes *c)
{
	size_t kept = 0;
	for (size_t i = 0; i < c->count; i++)
		if (c->v[i].kind != WG_CHANGE_REMOVE)
			c->v[kept++] = c->v[i];
	c->count = kept;
	c->removals = 0;
}
