/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"

enum wgd_backend { WGD_BACKEND_AUTO, WGD_BACKEND_KERNEL, WGD_BACKEND_UAPI };

struct wgd_conf {
	struct conf_shared shared;
	char *key_dir; /* "" = <state_dir>/keys */
	int backend;   /* enum wgd_backend */
	char *uapi_dir;
	bool need_rules;
	char *watch; /* "" = no file is followed */
	char *watch_tunnel;
	int64_t watch_hold_s;
	int64_t silent_hours; /* 0 = off */
};

extern const struct conf_row wgd_conf_rows[];
extern const size_t wgd_conf_count;

/* The directory of the tunnels' keys. */
void wgd_conf_key_dir(const struct wgd_conf *conf, char out[static 4096]);
/* The tunnel that K's file is about (watch_tunnel); NULL when the configuration has none of that
 * name, or several to choose from. */
const struct conf_tunnel *wgd_conf_watch_tunnel(const struct wgd_conf *conf);
