/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/notify_settings.h"
#include "apid/body.h"
#include "apid/mail_message.h"

#include <string.h>

static const char *const securities[] = { "starttls", "tls", "none", NULL };
static const struct body_field webhook_fields[] = {
	{ .name = "url", .type = BODY_TEXT, .is_required = true, .min = 8, .max = 2048 },
	{ 0 },
};
static const struct body_schema webhook_schema = { .name = "Webhook", .fields = webhook_fields };
static const struct body_field mail_fields[] = {
	{ .name = "host", .type = BODY_TEXT, .is_required = true, .min = 1, .max = 253 },
	{ .name = "port", .type = BODY_INT, .min = 1, .max = 65535 },
	{ .name = "security", .type = BODY_ENUM, .values = securities },
	{ .name = "user", .type = BODY_TEXT, .min = 1, .max = 254 },
	{ .name = "from",
		.type = BODY_TEXT,
		.is_required = true,
		.max = 254,
		.is_good = mail_is_address,
		.form = "is no mail address" },
	{ .name = "to", .type = BODY_TEXTS, .is_required = true, .min = 1, .max = 16 },
	{ 0 },
};
static const struct body_schema mail_schema = { .name = "Mail", .fields = mail_fields };
static const struct body_field fields[] = {
	{ .name = "appeals", .type = BODY_BOOL },
	{ .name = "alarms", .type = BODY_BOOL },
	{ .name = "webhook", .type = BODY_OBJECT, .of = &webhook_schema },
	{ .name = "mail", .type = BODY_OBJECT, .of = &mail_schema },
	{ 0 },
};
static const struct body_schema schema = { .name = "Notifications", .fields = fields };

static bool is_host(const char *text)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 ".-:_";

	return strspn(text, ok) == strlen(text);
}

static const char *parse_mail(const cJSON *mail, bool allow_plain, struct notify_settings *out)
{
	const char *security = cJSON_GetStringValue(json_get(mail, "security"));
	struct mail_server *m = &out->mail;
	const cJSON *to;
	int64_t port;

	for (m->security = MAIL_STARTTLS;
		security && m->security < MAIL_PLAIN && strcmp(securities[m->security], security);)
		m->security++;
	m->port = m->security == MAIL_TLS ? 465 : m->security == MAIL_PLAIN ? 25 : 587;
	if (json_get_int(json_get(mail, "port"), &port))
		m->port = (uint16_t)port;
	m->user = cJSON_GetStringValue(json_get(mail, "user"));
	m->from = cJSON_GetStringValue(json_get(mail, "from"));
	cJSON_ArrayForEach (to, json_get(mail, "to")) {
		if (!mail_is_address(to->valuestring))
			return "mail.to holds what is no mail address";
		out->to[m->to_count++] = to->valuestring;
	}
	m->to = out->to;
	m->host = cJSON_GetStringValue(json_get(mail, "host"));
	if (!m->host || !is_host(m->host))
		return "mail.host is no host";
	if (m->security == MAIL_PLAIN && m->user)
		return "mail.user needs an encrypted connection";
	if (m->security == MAIL_PLAIN && !allow_plain)
		return "mail.security none needs notify_private";
	return NULL;
}

static const char *parse(const cJSON *value, bool allow_plain, struct notify_settings *out)
{
	const cJSON *mail = json_get(value, "mail");
	struct body_error err;

	if (!cJSON_IsObject(value) || body_check(&schema, value, &err))
		return "is not what the manual says of it";
	out->appeals = !cJSON_IsFalse(json_get(value, "appeals"));
	out->alarms = !cJSON_IsFalse(json_get(value, "alarms"));
	out->url = cJSON_GetStringValue(json_get(json_get(value, "webhook"), "url"));
	if (out->url && list_url_parse_any(out->url, &out->at, &out->url_is_tls))
		return "webhook.url is no web address";
	if (out->url && !out->url_is_tls && !allow_plain)
		return "webhook.url is not https";
	return mail ? parse_mail(mail, allow_plain, out) : NULL;
}

const char *notify_settings_parse(const cJSON *value, bool allow_plain, struct notify_settings *out)
{
	const char *wrong;

	*out = (struct notify_settings){ 0 };
	wrong = parse(value, allow_plain, out);
	if (wrong)
		*out = (struct notify_settings){ 0 };
	return wrong;
}

void notify_settings_read(const struct store *s, bool allow_plain, struct notify_settings *out)
{
	const struct table_row *row = table_find(store_table(s, TOPIC_settings), "notifications");
	cJSON *json = row ? json_parse(row->text, row->len) : NULL;

	notify_settings_parse(json_get(json, "value"), allow_plain, out);
	out->json = json;
}

void notify_settings_fini(struct notify_settings *s)
{
	cJSON_Delete(s->json);
}
