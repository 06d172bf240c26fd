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
	int64_t sync_removal_limit, sync_removal_rows;
	int64_t directus_poll_s, directus_full_s, directus_page;
	/* of single collections; 0 = directus_poll_s */
	int64_t device_poll_s, categories_poll_s, sni_block_poll_s, mitm_ignore_poll_s;
	char *directus_env, *sni_block_collection, *sni_block_field;
	struct conf_strings sni_block_sources;
};

extern const struct conf_row syncd_conf_rows[];
extern const size_t syncd_conf_count;
