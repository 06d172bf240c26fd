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
};

extern const struct conf_row wgd_conf_rows[];
extern const size_t wgd_conf_count;
