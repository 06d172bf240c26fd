/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/conf.h"

#include "syncd/directus_unit.h"
#include "syncd/list_url.h"
#include "syncd/mapping.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_url(const void *value, char *why, size_t why_len)
{
	const char *url = *(char *const *)value;
	struct list_url_parts parts;
	bool is_tls;

	if (!*url || !list_url_parse_any(url, &parts, &is_tls))
		return 0;
	snprintf(why, why_len, "%.200s is no http or https URL", url);
	return -EINVAL;
}

static int check_map(const void *value, char *why, size_t why_len)
{
	const struct conf_strings *map = value;
	struct mapping m;
	int err = 0;

	mapping_init(&m);
	for (size_t i = 0; i < map->n && !err; i++) {
		char *copy = strdup(map->v[i]);

		err = copy ? mapping_set(&m, copy, why, why_len) : -ENOMEM;
		free(copy);
	}
	return err;
}

static int check_name(const void *value, char *why, size_t why_len)
{
	const char *name = *(char *const *)value;

	if (!*name || directus_is_name(name))
		return 0;
	snprintf(why, why_len, "%.127s is no name of Directus'", name);
	return -EINVAL;
}

static int check_sources(const void *value, char *why, size_t why_len)
{
	const struct conf_strings *sources = value;
	char collection[DIRECTUS_NAME_MAX], field[DIRECTUS_NAME_MAX];

	for (size_t i = 0; i < sources->n; i++) {
		if (i < UNIT_PARTS && !directus_parse_source(sources->v[i], collection, field))
			continue;
		snprintf(why, why_len, "%.127s is not COLLECTION:FIELD, or one too many",
			sources->v[i]);
		return -EINVAL;
	}
	return 0;
}

#define AT(field) offsetof(struct syncd_conf, field)
/* clang-format off */
const struct conf_row syncd_conf_rows[] = {
	{ "syncd", "lists_dir", CONF_PATH, AT(lists_dir), "/etc/culvert/lists",
		.help = "Directory of the lists whose source is file:NAME. Nothing outside of it is read." },
	{ "syncd", "list_ca", CONF_PATH, AT(list_ca), "/etc/ssl/certs/ca-certificates.crt",
		.help = "CAs in PEM that servers of lists are verified with." },
	{ "syncd", "allow_private", CONF_BOOL, AT(allow_private), "no",
		.help = "May lists be fetched from private and loopback addresses?."},
	{ "syncd", "list_max_mib", CONF_INT, AT(list_max_mib), "256", .min = 1, .max = 256,
		.help = "MiB that the body of a list may have, as sent and decoded." },
	{ "syncd", "list_timeout_s", CONF_INT, AT(list_timeout_s), "600", .min = 5, .max = 3600,
		.help = "Seconds that one download may take. Below 1 KiB/s it is given up earlier." },
	{ "syncd", "ack_s", CONF_INT, AT(ack_s), "30", .min = 1, .max = 600,
		.help = "Seconds that a daemon has for putting a new domain set in force. One that has not"
			" done so makes syncd publish the last good set again." },
	{ "syncd", "resolver", CONF_ENDPOINT, AT(resolver), "127.0.0.1:5300",
		.help = "Where names of list servers are resolved: dnsd's system listener." },
	{ "syncd", "directus_url", CONF_STRING, AT(directus_url), "", .max = 2048, .check = check_url, .env = "DIRECTUS_URL",
		.help = "Where Directus is, http or https; empty: no Directus." },
	{ "syncd", "directus_token_file", CONF_SECRET, AT(directus_token), "",
		.help = "File with a static token of Directus. The environment's DIRECTUS_TOKEN goes before it." },
	{ "syncd", "directus_email", CONF_STRING, AT(directus_email), "", .max = 255,
		.help = "Without a token: the account to log in with." },
	{ "syncd", "directus_password_file", CONF_SECRET, AT(directus_password), "",
		.help = "File with that account's password." },
	{ "syncd", "directus_ca", CONF_PATH, AT(directus_ca), "",
		.help = "CAs in PEM that Directus is verified with; empty: those of list_ca." },
	{ "syncd", "directus_poll_s", CONF_INT, AT(directus_poll_s), "30", .min = 1, .max = 3600, .env = "WEBSITES_TTL",
		.help = "Seconds after which Directus is asked whether something has changed." },
	{ "syncd", "directus_push", CONF_BOOL, AT(directus_push), "yes",
		.help = "Is Directus' WebSocket listened to, so that a change is seen at once?."},
	{ "syncd", "directus_full_s", CONF_INT, AT(directus_full_s), "600", .min = 10, .max = 86400,
		.help = "Seconds after which everything is read again, changed or not." },
	{ "syncd", "directus_page", CONF_INT, AT(directus_page), "1000", .min = 1, .max = 10000,
		.help = "Rows asked for at a time; less where Directus' QUERY_LIMIT_MAX is below it." },
	{ "syncd", "sync_removal_limit", CONF_INT, AT(sync_removal_limit), "20", .max = 100,
		.help = "Percent of a collection's rows that may be gone at once though the token may not see all of it."
			" More may be hidden by a permission: they stay until an administrator confirms that they are gone." },
	{ "syncd", "sync_removal_rows", CONF_INT, AT(sync_removal_rows), "3", .max = 1000000,
		.help = "So many rows may be gone whatever percentage they are." },
	{ "syncd", "directus_env", CONF_PATH, AT(directus_env), "", .env = "DIRECTUS_ENV",
		.help = "Without a token and an account: Directus' own .env (DIRECTUS_TOKEN, ADMIN_TOKEN, ADMIN_EMAIL,"
			" ADMIN_PASSWORD), which only syncd's user may be able to read." },
	{ "syncd", "directus_device_poll_s", CONF_INT, AT(device_poll_s), "0", .max = 3600, .env = "DEVICE_POLICY_TTL",
		.help = "The same as directus_poll_s for what devices have of their own: preferences, switches, overrides." },
	{ "syncd", "directus_categories_poll_s", CONF_INT, AT(categories_poll_s), "0", .max = 3600,
		.env = "APPEAL_CATEGORIES_TTL", .help = "The same for categories; 0: as often as the rest." },
	{ "syncd", "directus_sni_block_poll_s", CONF_INT, AT(sni_block_poll_s), "0", .max = 3600, .env = "SNI_BLOCK_TTL",
		.help = "The same for names that are blocked before interception." },
	{ "syncd", "directus_mitm_ignore_poll_s", CONF_INT, AT(mitm_ignore_poll_s), "0", .max = 3600, .env = "MITM_IGNORE_TTL",
		.help = "The same for names that are not decrypted." },
	{ "syncd", "sni_block_sources", CONF_STRINGS, AT(sni_block_sources), "", .check = check_sources,
		.env = "SNI_BLOCK_SOURCES",
		.help = "Collections and fields that names to block come from: COLLECTION:FIELD, up to 8." },
	{ "syncd", "sni_block_collection", CONF_STRING, AT(sni_block_collection), "", .max = 127, .check = check_name,
		.env = "SNI_BLOCK_COLLECTION", .help = "Without sources: the collection, if not the usual one." },
	{ "syncd", "sni_block_field", CONF_STRING, AT(sni_block_field), "", .max = 127, .check = check_name,
		.env = "SNI_BLOCK_FIELD", .help = "Its field, if not the usual one." },
	{ "syncd", "directus_map", CONF_STRINGS, AT(directus_map), "", .check = check_map,
		.help = "Other names of collections and fields than usual: websites=my_sites, websites.pattern=address,"
			" gifs= (no such collection)." },
};
/* clang-format on */
const size_t syncd_conf_count = sizeof(syncd_conf_rows) / sizeof(syncd_conf_rows[0]);
