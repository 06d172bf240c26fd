/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/wgd.h"

#include "common/log.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

int wgd_load_key(struct wgd *w, size_t i, bool make)
{
	char dir[PATH_MAX];
	struct wg_key private_key = { 0 }, public_key;
	struct tunnel *t = &w->tunnels[i];
	if (*w->conf->key_dir)
		snprintf(dir, sizeof(dir), "%s", w->conf->key_dir);
	else
		snprintf(dir, sizeof(dir), "%s/keys", w->conf->shared.state_dir);
	int err = make ? wg_key_load(dir, t->conf->name, &private_key)
		       : wg_key_read(dir, t->conf->name, &private_key);
	if (!err)
		err = wg_key_public(&private_key, &public_key);
	if (err) {
		log_error("no private key tunnel=%s dir=%s error=%s", t->conf->name, dir,
			err == -EINVAL	? "the file holds no key"
			: err == -EPERM ? "the file must be its owner's alone, mode 0600"
					: strerror(-err));
	} else {
		t->private_key = private_key;
		w->peer_tunnels[i].public_key = public_key;
	}
	wg_key_wipe(&private_key);
	return err;
}

/* Brings what changed of the tunnel to the interface, to the peers and to the bus. */
static void apply_tunnel(void *arg, size_t i)
{
	struct wgd *w = arg;
	tunnel_renew(&w->tunnels[i]);
	peers_mark_all(&w->peers); /* what is reserved, outside or our own key */
	wgd_schedule_settle(w);
	wgd_publish_tunnel(w, i);
}

static void reload_keys(struct wgd *w)
{
	for (size_t i = 0; i < w->tunnel_count; i++) {
		struct wg_key before = w->tunnels[i].private_key;
		/* Without a file, or with a bad one, the key in force stays. */
		if (!wgd_load_key(w, i, false) &&
			!wg_key_equal(&before, &w->tunnels[i].private_key)) {
			log_notice("new private key tunnel=%s", w->tunnels[i].conf->name);
			apply_tunnel(w, i);
		}
		wg_key_wipe(&before);
	}
}

void wgd_reload(struct daemon *d, void *next)
{
	static const char *const live[] = { "silent_hours", NULL };
	static const char *const live_of_tunnel[] = { "addresses", "port", "mtu", NULL };
	struct wgd *w = d->state;
	struct wgd_conf *fresh = next;
	conf_reload(wgd_conf_rows, wgd_conf_count, w->conf, fresh, live);
	conf_reload_tunnels(&w->conf->shared, &fresh->shared, live_of_tunnel, apply_tunnel, w);
	wgd_set_silence(w);
	reload_keys(w);
}
