/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/import.h"
#include "wgd/wgd.h"

#include "common/log.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

enum { LAST_GOOD_AFTER_MS = 2000 };

static bool may_purge(void *arg)
{
	struct wgd *w = arg;
	return directory_is_current(w->directory) &&
	       bus_topic_is_current(w->daemon->bus, TOPIC_device_keys, BUS_APID);
}

/* The last good state may lack what came just before wgd was killed: those sessions live on, so it
 * only rules once Redis had its chance. */
static int build_peers(void *arg, struct tunnel *t, struct wg_device *out)
{
	struct wgd *w = arg;
	bool rules = may_purge(w) ? peers_is_settled(&w->peers)
				  : clock_mono_ms() - w->started_at_ms >= LAST_GOOD_AFTER_MS;
	return w->was_known && rules ? peers_build(&w->peers, t->number, out) : -EAGAIN;
}

static void on_actual(void *arg, struct tunnel *t, const struct wg_device *dev)
{
	wgd_read(arg, t, dev);
}

static void on_pass(void *arg, struct tunnel *t)
{
	(void)t;
	wgd_progress(arg);
}

static void on_tunnel_closed(void *arg, struct tunnel *t)
{
	(void)arg, (void)t; /* fini frees them all once the loop has ended */
}

static const struct tunnel_ops tunnel_ops = { build_peers, may_purge, on_actual, on_pass,
	on_tunnel_closed, wgd_report_repair };

static int make_tunnels(struct wgd *w)
{
	w->tunnel_count = w->conf->shared.tunnel_count;
	w->tunnels = calloc(w->tunnel_count + 1, sizeof(*w->tunnels));
	w->peer_tunnels = calloc(w->tunnel_count + 1, sizeof(*w->peer_tunnels));
	if (!w->tunnels || !w->peer_tunnels)
		return -ENOMEM;
	for (size_t i = 0; i < w->tunnel_count; i++) {
		w->tunnels[i] = (struct tunnel){ .conf = &w->conf->shared.tunnels[i],
			.number = i,
			.uapi_dir = w->conf->uapi_dir,
			.choice = (enum wgd_backend)w->conf->backend,
			.loop = &w->daemon->loop,
			.route = &w->route,
			.rules = w->conf->need_rules ? &w->rules : NULL,
			.ops = &tunnel_ops,
			.arg = w };
		w->peer_tunnels[i].conf = w->tunnels[i].conf;
		int err = wgd_load_key(w, i, true);
		if (err)
			return err;
	}
	return 0;
}

/* --watch goes before WG_CONFIG_PATH and the configuration. */
static int start_follow(struct wgd *w)
{
	const char *option = daemon_option(w->daemon, "watch");
	struct follow_options o = { .path = option ? option : w->conf->watch,
		.tunnel = wgd_conf_watch_tunnel(w->conf),
		.state_dir = w->conf->shared.state_dir,
		.hold_s = w->conf->watch_hold_s };
	if (!*o.path)
		return 0;
	if (!o.tunnel)
		log_error("wgd.watch_tunnel: no such tunnel");
	else if (*o.path != '/')
		log_error("--watch: %s is not an absolute path", o.path);
	else
		return follow_open(&w->daemon->loop, w->daemon->bus, &o, &w->follow);
	return -EINVAL;
}

static int start(struct daemon *d)
{
	struct wgd *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	d->state = w;
	w->daemon = d;
	w->conf = d->conf;
	w->stats.bus = d->bus;
	w->started_at_ms = clock_mono_ms();
	/* What can fail without handles comes first, so that stop finds all handles or none. */
	int err = make_tunnels(w);
	if (!err)
		err = nl_open(&w->route, NETLINK_ROUTE);
	if (!err)
		err = nl_open(&w->rules, NETLINK_NETFILTER);
	if (err)
		return err;
	peers_init(&w->peers, w->peer_tunnels, w->tunnel_count, &wgd_peers_ops, w);
	w->started = true;
	for (size_t i = 0; i < w->tunnel_count; i++)
		tunnel_open(&w->tunnels[i]);
	err = wgd_bus_start(w);
	if (!err)
		err = wgd_watch_start(w);
	if (!err)
		err = start_follow(w);
	if (err)
		log_error("start failed error=%s", strerror(-err));
	return err;
}

/* The interfaces stay: sessions outlive a restart of wgd. */
static void stop(struct daemon *d)
{
	struct wgd *w = d->state;
	if (!w || !w->started)
		return;
	w->closing = true;
	wgd_watch_stop(w);
	for (size_t i = 0; i < w->tunnel_count; i++)
		tunnel_close(&w->tunnels[i]);
	wgd_bus_stop(w);
	follow_close(w->follow);
	wgd_readings_stop(w);
}

static void fini(struct daemon *d)
{
	struct wgd *w = d->state;
	if (!w)
		return;
	nl_close(&w->route);
	nl_close(&w->rules);
	if (w->started)
		peers_fini(&w->peers);
	wgd_readings_fini(w);
	for (size_t i = 0; i < w->tunnel_count && w->tunnels; i++)
		wg_key_wipe(&w->tunnels[i].private_key);
	free(w->tunnels);
	free(w->peer_tunnels);
	follow_free(w->follow);
	free(w);
	d->state = NULL;
}

static const struct daemon_command commands[] = {
	{ .name = "import",
		.help = "FILE of wg-quick with `# device:ID` lines: checks it, keeps its key, "
			"prints "
			"what apid.seed_file reads",
		.run = wgd_import,
		.needs_arg = true,
		.as_caller = true },
	{ .name = "output", .help = "FILE that --import writes instead of standard output (0600)" },
	{ .name = "export",
		.help = "FILE that gets the tunnel and its devices as they are now (0600)",
		.run = wgd_export,
		.needs_arg = true,
		.as_caller = true },
	{ .name = "watch", .help = "FILE that is followed, in place of wgd.watch" },
	{ 0 },
};

int main(int argc, char **argv)
{
	const struct daemon_info info = {
		.name = "wgd",
		.summary = "Keeps the WireGuard interfaces and their peers as the bus says.",
		.id = BUS_WGD,
		.conf = wgd_conf_rows,
		.conf_count = wgd_conf_count,
		.conf_size = sizeof(struct wgd_conf),
		.caps = 1ULL << CAP_NET_ADMIN,
		.commands = commands,
		.start = start,
		.reload = wgd_reload,
		.stop = stop,
		.fini = fini,
	};
	return daemon_main(&info, argc, argv);
}
