/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/notify.h"
#include "syncd/list_url.h"

/* The setting `notifications`, read. Strings belong to json. */
struct notify_settings {
	cJSON *json; /* NULL = nothing is set */
	bool appeals, alarms;
	const char *url; /* of the webhook; NULL = none */
	struct list_url_parts at;
	bool url_is_tls;
	struct mail_server mail; /* host NULL = none; user's password is not in it */
	const char *to[16];
};

/* Always fills out, with nothing where there is nothing; NULL, or what is wrong. */
const char *notify_settings_parse(
	const cJSON *value, bool allow_plain, struct notify_settings *out);
/* Of the table; to be ended by notify_settings_fini. */
void notify_settings_read(const struct store *s, bool allow_plain, struct notify_settings *out);
void notify_settings_fini(struct notify_settings *s);
