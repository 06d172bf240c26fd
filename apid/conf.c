/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/conf.h"

#include <stddef.h>

#define AT(field) offsetof(struct apid_conf, field)

const struct conf_row apid_conf_rows[] = {
	{ .section = "apid",
		.key = "provision",
		.type = CONF_ENDPOINT,
		.offset = AT(provision),
		.def = "127.0.0.1:8000",
		.help = "where the provisioning API listens" },
	{ .section = "apid",
		.key = "api_key_file",
		.type = CONF_SECRET,
		.offset = AT(api_key),
		.def = "",
		.help = "first key of the provisioning API, kept hashed in the database; the "
			"environment's API_KEY goes before it" },
	{ .section = "apid",
		.key = "db_socket",
		.type = CONF_PATH,
		.offset = AT(db_socket),
		.def = "/run/mysqld/mysqld.sock",
		.help = "unix socket of MariaDB" },
	{ .section = "apid",
		.key = "db_name",
		.type = CONF_STRING,
		.offset = AT(db_name),
		.def = "culvert",
		.max = 64,
		.help = "database" },
	{ .section = "apid",
		.key = "db_user",
		.type = CONF_STRING,
		.offset = AT(db_user),
		.def = "culvert-apid",
		.max = 80,
		.help = "user of the database" },
	{ .section = "apid",
		.key = "db_password_file",
		.type = CONF_SECRET,
		.offset = AT(db_password),
		.def = "",
		.help = "its password; empty: MariaDB knows the user by its socket" },
	{ .section = "apid",
		.key = "seed_file",
		.type = CONF_PATH,
		.offset = AT(seed_file),
		.def = "",
		.help = "JSON, topic to records: read into the database at start when it has "
			"changed since it was last read, and on SIGHUP" },
};
const size_t apid_conf_count = sizeof(apid_conf_rows) / sizeof(apid_conf_rows[0]);
