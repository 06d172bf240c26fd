/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/conf.h"

#define AT(field) offsetof(struct syncd_conf, field)
/* clang-format off */
const struct conf_row syncd_conf_rows[] = {
	{ "syncd", "lists_dir", CONF_PATH, AT(lists_dir), "/etc/culvert/lists",
		.help = "Directory of the lists whose source is file:NAME. Nothing outside of it is read." },
	{ "syncd", "list_ca", CONF_PATH, AT(list_ca), "/etc/ssl/certs/ca-certificates.crt",
		.help = "CAs in PEM that servers of lists are verified with." },
	{ "syncd", "allow_private", CONF_BOOL, AT(allow_private), "no",
		.help = "May lists be fetched from private and loopback addresses?" },
	{ "syncd", "list_max_mib", CONF_INT, AT(list_max_mib), "256", .min = 1, .max = 256,
		.help = "MiB that the body of a list may have, as sent and decoded." },
	{ "syncd", "list_timeout_s", CONF_INT, AT(list_timeout_s), "600", .min = 5, .max = 3600,
		.help = "Seconds that one download may take. Below 1 KiB/s it is given up earlier." },
	{ "syncd", "ack_s", CONF_INT, AT(ack_s), "30", .min = 1, .max = 600,
		.help = "Seconds that a daemon has for putting a new domain set in force. One that has not"
			" done so makes syncd publish the last good set again." },
	{ "syncd", "resolver", CONF_ENDPOINT, AT(resolver), "127.0.0.1:5300",
		.help = "Where names of list servers are resolved: dnsd's system listener." },
};
/* clang-format on */
const size_t syncd_conf_count = sizeof(syncd_conf_rows) / sizeof(syncd_conf_rows[0]);
