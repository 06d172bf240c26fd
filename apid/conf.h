/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"

/* Section [apid]. */
struct apid_conf {
	struct conf_shared shared; /* first */
	struct endpoint provision;
	struct conf_secret api_key;
	char *db_socket;
	char *db_name;
	char *db_user;
	struct conf_secret db_password;
	char *seed_file; /* NULL or "" = none */
};

extern const struct conf_row apid_conf_rows[];
extern const size_t apid_conf_count;
