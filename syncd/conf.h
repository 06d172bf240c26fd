/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"

struct syncd_conf {
	struct conf_shared shared;
	char *lists_dir;
	char *list_ca;
	bool allow_private;
	int64_t list_max_mib, list_timeout_s, ack_s;
	struct endpoint resolver;
	char *directus_url, *directus_email, *directus_ca;
	struct conf_secret directus_token, directus_password;
	struct conf_strings directus_map;
	bool directus_push;
	int64_t directus_poll_s, directus_full_s, directus_page;
};

extern const struct conf_row syncd_conf_rows[];
extern const size_t syncd_conf_count;
