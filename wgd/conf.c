/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/conf.h"

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
};
/* clang-format on */
const size_t wgd_conf_count = sizeof(wgd_conf_rows) / sizeof(wgd_conf_rows[0]);
