/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/conf.h"

#include <stdio.h>
#include <string.h>

static const char *const backends[] = { "auto", "kernel", "uapi", NULL };

#define AT(field) offsetof(struct wgd_conf, field)
/* clang-format off */
const struct conf_row wgd_conf_rows[] = {
	{ "wgd", "key_dir", CONF_PATH, AT(key_dir), "",
		.help = "Directory of the tunnels' private keys, NAME.key each, made when missing. "
			"Empty: keys below the daemon's state directory." },
	{ "wgd", "backend", CONF_ENUM, AT(backend), "auto", .values = backends,
		.help = "Who carries WireGuard: the kernel, a userspace program over its UAPI socket, "
			"or whichever there is." },
	{ "wgd", "uapi_dir", CONF_PATH, AT(uapi_dir), "/var/run/wireguard",
		.help = "Directory of the UAPI sockets, INTERFACE.sock each." },
	{ "wgd", "need_rules", CONF_BOOL, AT(need_rules), "yes",
		.help = "An interface comes up only once fwd's rules hold for it. Not to be switched off "
			"where fwd runs." },
	{ "wgd", "silent_hours", CONF_INT, AT(silent_hours), "24", .min = 0, .max = 8760,
		.help = "An entitled device without a handshake for so many hours is reported as "
			"silent. 0: none is." },
	{ "wgd", "watch", CONF_PATH, AT(watch), "", .env = "WG_CONFIG_PATH",
		.help = "A file of wg-quick with `# device:ID` lines that is followed: its devices are "
			"made and removed here, too. wgd's user must be able to read it." },
	{ "wgd", "watch_tunnel", CONF_STRING, AT(watch_tunnel), "", .max = 32,
		.help = "Name of the tunnel that this file (also of --import and --export) is about. "
			"Empty: mitm, or the only one." },
	{ "wgd", "watch_hold_s", CONF_INT, AT(watch_hold_s), "60", .min = 1, .max = 86400,
		.help = "A followed file that lost more than half of its devices, and more than ten, is "
			"believed once it has stayed the same for this long, in seconds." },
};
/* clang-format on */
const size_t wgd_conf_count = sizeof(wgd_conf_rows) / sizeof(wgd_conf_rows[0]);

void wgd_conf_key_dir(const struct wgd_conf *conf, char out[static 4096])
{
	if (*conf->key_dir)
		snprintf(out, 4096, "%s", conf->key_dir);
	else
		snprintf(out, 4096, "%s/keys", conf->shared.state_dir);
}

const struct conf_tunnel *wgd_conf_watch_tunnel(const struct wgd_conf *conf)
{
	const struct conf_shared *s = &conf->shared;
	const char *name = *conf->watch_tunnel ? conf->watch_tunnel : "mitm";

	for (size_t i = 0; i < s->tunnel_count; i++) {
		if (!strcmp(s->tunnels[i].name, name))
			return &s->tunnels[i];
	}
	return !*conf->watch_tunnel && s->tunnel_count == 1 ? &s->tunnels[0] : NULL;
}
