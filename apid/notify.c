/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/notify.h"
#include "apid/base64url.h"
#include "apid/mail_message.h"
#include "apid/notify_webhook.h"
#include "common/log.h"
#include "common/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS      5000
#define RETRY_MAX_MS  600000
#define GIVE_UP_MS    (24 * 3600 * 1000LL)
#define MAIL_EVERY_MS 30000

struct notice {
	struct list node;
	int64_t at;
	char *json; /* body of the webhook */
	char *text;
};

static const char *const way_texts[] = { "webhook", "mail" };

/* ---- the queue ---- */

static void free_notice(struct notify_channel *c, struct notice *one)
{
	list_remove(&one->node);
	c->count--;
	free(one->json);
	free(one->text);
	free(one);
}

static struct notice *first(const struct notify_channel *c)
{
	return list_is_empty(&c->waiting) ? NULL
					  : container_of(c->waiting.next, struct notice, node);
}

static void drop(struct notify_channel *c, struct notice *one, const char *why)
{
	c->dropped++;
	log_warning("notification dropped way=%s reason=\"%s\"", way_texts[c->way], why);
	free_notice(c, one);
}

static void drop_old(struct notify_channel *c, int64_t before, const char *why)
{
	list_foreach_safe (&c->waiting, it) {
		struct notice *one = container_of(it, struct notice, node);

		if (one->at >= before)
			break;
		drop(c, one, why);
	}
}

/* The first ones are there. */
static void take_sent(struct notify_channel *c)
{
	list_foreach_safe (&c->waiting, it) {
		if (!c->sending)
			break;
		c->sending--;
		c->sent++;
		free_notice(c, container_of(it, struct notice, node));
	}
}

static bool is_busy(const struct notify_channel *c)
{
	return c->fetch || c->query || c->mail;
}

static void run(struct notify_channel *c);

static void plan(struct notify_channel *c)
{
	uint64_t delay = 0;

	if (!c->n->is_open || is_busy(c) || list_is_empty(&c->waiting))
		return;
	if (c->failures) {
		delay = (uint64_t)RETRY_MS << (c->failures < 8 ? c->failures - 1 : 7);
		delay = delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS;
	} else if (c->way == NOTIFY_MAIL && (int64_t)clock_mono_ms() < c->mail_after) {
		delay = (uint64_t)(c->mail_after - (int64_t)clock_mono_ms());
	}
	timer_start(&c->timer, delay, 0);
}

/* What was on its way is there, or not. */
void notify_settle(struct notify_channel *c, const char *error)
{
	void (*on_test)(void *arg, const char *error) = c->on_test;

	free(c->body);
	c->body = NULL;
	snprintf(c->error, sizeof(c->error), "%s", error ? error : "");
	if (!error) {
		c->sent_at = clock_wall_ms();
		c->mail_after = (int64_t)clock_mono_ms() + MAIL_EVERY_MS;
	} else {
		log_notice("notification failed way=%s error=\"%s\"", way_texts[c->way], error);
	}
	if (on_test) {
		c->on_test = NULL;
		on_test(c->test_arg, error);
		plan(c);
		return;
	}
	c->failures = error ? c->failures + 1 : 0;
	if (!error)
		take_sent(c);
	c->sending = 0;
	drop_old(c, clock_wall_ms() - GIVE_UP_MS, "a day old");
	plan(c);
}

/* ---- mail ---- */

static void on_mailed(void *arg, int status, const char *why)
{
	struct notify_channel *c = arg;

	c->mail = NULL;
	notify_settle(c, status ? why : NULL);
}

static void send_mail(struct notify_channel *c, const struct notify_settings *s,
	const char *subject, const char *text)
{
	struct mail_server server = s->mail;

	server.password = c->n->smtp_password;
	if (mail_send(&c->n->outside, &server, subject, text, on_mailed, c, &c->mail))
		notify_settle(c, "no memory");
}

static void send_gathered(struct notify_channel *c, const struct notify_settings *s)
{
	char subject[MAIL_SUBJECT_MAX];
	struct buf text;

	buf_init(&text, 65536);
	c->sending = 0;
	list_foreach (&c->waiting, it) {
		const struct notice *one = container_of(it, struct notice, node);

		if (text.len + strlen(one->text) > 60000)
			break;
		buf_printf(&text, "%s\n", one->text);
		c->sending++;
	}
	buf_append_byte(&text, '\0');
	if (c->sending == 1)
		mail_subject_format(first(c)->text, subject);
	else
		snprintf(subject, sizeof(subject), "Culvert: %zu notifications", c->sending);
	if (text.failed)
		notify_settle(c, "no memory");
	else
		send_mail(c, s, subject, (char *)text.data);
	buf_fini(&text);
}

/* ---- both ---- */

static bool is_configured(const struct notify_channel *c, const struct notify_settings *s)
{
	return c->way == NOTIFY_WEBHOOK ? s->url != NULL : s->mail.host != NULL;
}

static void run(struct notify_channel *c)
{
	struct notify_settings s;

	if (is_busy(c) || list_is_empty(&c->waiting))
		return;
	notify_settings_read(c->n->store, c->n->outside.allow_private, &s);
	if (!is_configured(c, &s)) {
		drop_old(c, INT64_MAX, "not configured any more");
		c->failures = 0;
	} else if (c->way == NOTIFY_WEBHOOK) {
		c->sending = 1;
		notify_webhook_send(c, &s, strdup(first(c)->json));
	} else {
		send_gathered(c, &s);
	}
	notify_settings_fini(&s);
}

static void on_timer(struct timer *t)
{
	run(t->data);
}

static void push(struct notify_channel *c, const char *json, const char *text)
{
	struct notice *one = calloc(1, sizeof(*one));

	if (!one || !(one->json = strdup(json)) || !(one->text = strdup(text))) {
		log_error("no memory for a notification way=%s", way_texts[c->way]);
		if (one)
			free(one->json);
		free(one);
		return;
	}
	one->at = clock_wall_ms();
	/* What is on its way stays. */
	if (c->count >= NOTICES_MAX && !c->sending)
		drop(c, first(c), "too many wait");
	else if (c->count >= NOTICES_MAX) {
		c->dropped++;
		free(one->json);
		free(one->text);
		free(one);
		return;
	}
	list_add(&c->waiting, &one->node);
	c->count++;
	if (!c->failures)
		plan(c);
}

static char *make_json(const char *event, cJSON *data)
{
	cJSON *out = cJSON_CreateObject();
	char id[BASE64URL_LEN(12) + 1], *text;
	uint8_t raw[12];

	if (random_bytes(NULL, raw, sizeof(raw))) {
		cJSON_Delete(out);
		cJSON_Delete(data);
		return NULL;
	}
	base64url_format(raw, sizeof(raw), id);
	cJSON_AddStringToObject(out, "id", id);
	cJSON_AddStringToObject(out, "event", event);
	cJSON_AddNumberToObject(out, "at", (double)clock_wall_ms());
	cJSON_AddItemToObject(out, "data", data);
	text = json_format(out);
	cJSON_Delete(out);
	return text;
}

void notify_add(struct notify *n, const char *event, cJSON *data, const char *text)
{
	struct notify_settings s;
	bool is_wanted;
	char *json = make_json(event, data);

	notify_settings_read(n->store, n->outside.allow_private, &s);
	is_wanted = n->is_open && (!strcmp(event, "appeal") ? s.appeals : s.alarms);
	for (int i = 0; json && is_wanted && i < NOTIFY_WAYS; i++) {
		if (is_configured(&n->channels[i], &s))
			push(&n->channels[i], json, text);
	}
	free(json);
	notify_settings_fini(&s);
}

void notify_alarm(struct notify *n, const struct alarm *alarm)
{
	cJSON *data = cJSON_CreateObject();
	char text[700];

	cJSON_AddStringToObject(data, "daemon", bus_daemon_name(alarm->daemon));
	if (*alarm->gateway)
		cJSON_AddStringToObject(data, "gateway", alarm->gateway);
	cJSON_AddStringToObject(data, "what", alarm->what);
	cJSON_AddStringToObject(data, "detail", alarm->detail);
	snprintf(text, sizeof(text), "Alarm of %s%s%s: %s: %s", bus_daemon_name(alarm->daemon),
		*alarm->gateway ? " at " : "", alarm->gateway, alarm->what, alarm->detail);
	notify_add(n, "alarm", data, text);
}

int notify_test(struct notify *n, enum notify_way way,
	void (*on_done)(void *arg, const char *error), void *arg)
{
	struct notify_channel *c = &n->channels[way];
	struct notify_settings s;
	cJSON *data;
	int r = is_busy(c) ? -EBUSY : 0;

	notify_settings_read(n->store, n->outside.allow_private, &s);
	if (!r && !is_configured(c, &s))
		r = -ENOENT;
	if (!r) {
		timer_stop(&c->timer);
		c->on_test = on_done;
		c->test_arg = arg;
		if (way == NOTIFY_MAIL) {
			send_mail(c, &s, "Culvert: a test", "This is a test of Culvert.\n");
		} else {
			data = cJSON_CreateObject();
			cJSON_AddStringToObject(data, "text", "This is a test of Culvert.");
			notify_webhook_send(c, &s, make_json("test", data));
		}
	}
	notify_settings_fini(&s);
	return r;
}

const char *notify_check(const struct notify *n, const cJSON *value)
{
	struct notify_settings s;

	return notify_settings_parse(value, n->outside.allow_private, &s);
}

static cJSON *channel_json(const struct notify_channel *c, bool configured)
{
	cJSON *out = cJSON_CreateObject();

	cJSON_AddBoolToObject(out, "configured", configured);
	cJSON_AddNumberToObject(out, "waiting", (double)c->count);
	cJSON_AddNumberToObject(out, "sent", (double)c->sent);
	cJSON_AddNumberToObject(out, "dropped", (double)c->dropped);
	if (c->sent_at)
		cJSON_AddNumberToObject(out, "sent_at", (double)c->sent_at);
	if (c->error[0])
		cJSON_AddStringToObject(out, "error", c->error);
	return out;
}

cJSON *notify_json(const struct notify *n)
{
	struct notify_settings s;
	cJSON *out = cJSON_CreateObject();

	notify_settings_read(n->store, n->outside.allow_private, &s);
	for (int i = 0; i < NOTIFY_WAYS; i++)
		cJSON_AddItemToObject(out, way_texts[i],
			channel_json(&n->channels[i], is_configured(&n->channels[i], &s)));
	notify_settings_fini(&s);
	return out;
}

/* ---- life ---- */

void notify_open(struct notify *n)
{
	for (int i = 0; i < NOTIFY_WAYS; i++) {
		struct notify_channel *c = &n->channels[i];

		*c = (struct notify_channel){ .n = n, .way = (enum notify_way)i };
		list_init(&c->waiting);
		timer_init(n->outside.loop, &c->timer, on_timer, c);
	}
	n->is_open = true;
}

void notify_close(struct notify *n)
{
	if (!n->is_open)
		return;
	n->is_open = false;
	for (int i = 0; i < NOTIFY_WAYS; i++) {
		struct notify_channel *c = &n->channels[i];

		if (c->query)
			resolver_cancel(c->query);
		if (c->fetch)
			http_fetch_cancel(c->fetch);
		if (c->mail)
			mail_cancel(c->mail);
		c->query = NULL;
		c->fetch = NULL;
		c->mail = NULL;
		timer_close(&c->timer, NULL);
	}
}

void notify_fini(struct notify *n)
{
	for (int i = 0; n->channels[0].n && i < NOTIFY_WAYS; i++) {
		struct notify_channel *c = &n->channels[i];

		list_foreach_safe (&c->waiting, it)
			free_notice(c, container_of(it, struct notice, node));
		free(c->body);
	}
	tls_ctx_free(n->outside.tls);
}
