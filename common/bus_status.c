/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_impl.h"
#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TTL_S	    "15"
#define PREFIX	    "culvert:status:"
#define PATTERN	    PREFIX "*"
#define MESSAGE_MAX (256u << 10)

struct status_watcher {
	struct list node;
	void (*on_status)(void *arg, const struct bus_status *s);
	void *arg;
};

static void add_counters(const struct bus *b, cJSON *status)
{
	const struct bus_counters *c = &b->counters;
	cJSON *o = cJSON_AddObjectToObject(status, "bus");

	cJSON_AddNumberToObject(o, "connects", (double)b->cmd.connects);
	cJSON_AddNumberToObject(
		o, "connection_failures", (double)(b->cmd.failures + b->sub.failures));
	cJSON_AddNumberToObject(o, "bad_messages", (double)c->bad_messages);
	cJSON_AddNumberToObject(o, "unusable", (double)c->unusable);
	cJSON_AddNumberToObject(o, "ignored_fields", (double)c->ignored_fields);
	cJSON_AddNumberToObject(o, "closed", (double)c->closed);
	cJSON_AddNumberToObject(o, "refused", (double)c->refused);
	cJSON_AddNumberToObject(o, "rereads", (double)c->rereads);
	cJSON_AddNumberToObject(o, "events_dropped", (double)c->events_dropped);
	cJSON_AddNumberToObject(o, "requests_failed", (double)c->requests_failed);
	cJSON_AddNumberToObject(o, "publish_errors", (double)c->publish_errors);
}

static char *make_status(const struct bus *b)
{
	cJSON *s = cJSON_CreateObject();
	int64_t now = clock_wall_ms(), uptime_s = (now - b->started_at) / 1000;
	char *text;

	if (!s)
		return NULL;
	cJSON_AddNumberToObject(s, "v", 1);
	cJSON_AddStringToObject(s, "daemon", bus_daemon_name(b->self));
	if (*b->gateway)
		cJSON_AddStringToObject(s, "gateway", b->gateway);
	cJSON_AddStringToObject(s, "instance", b->instance);
	cJSON_AddStringToObject(s, "version", b->version);
	cJSON_AddNumberToObject(s, "at", (double)now);
	cJSON_AddNumberToObject(s, "uptime_s", (double)uptime_s);
	cJSON_AddStringToObject(s, "state", "running");
	bus_mirror_report(b, s);
	add_counters(b, s);
	if (b->fill_status)
		b->fill_status(b->fill_arg, s);
	text = json_format(s);
	cJSON_Delete(s);
	return text;
}

void bus_status_publish(struct bus *b)
{
	char name[BUS_NAME_MAX], *text;

	b->status_due = false;
	if (!b->cmd.up || b->closing || b->is_view)
		return;
	text = make_status(b);
	if (!text)
		return;
	snprintf(name, sizeof(name), PREFIX "%s:%s", bus_name(b, b->self), b->instance);
	bus_conn_send(&b->cmd, NULL, NULL, "SET", name, text, "EX", TTL_S, NULL);
	bus_conn_send(&b->cmd, NULL, NULL, "PUBLISH", name, text, NULL);
	free(text);
}

void bus_set_status_source(struct bus *b, void (*fill)(void *arg, cJSON *status), void *arg)
{
	b->fill_status = fill;
	b->fill_arg = arg;
}

void bus_status_changed(struct bus *b)
{
	b->status_due = true;
	bus_soon(b);
}

/* ---- watching ---- */

/* Who reports is what the channel says: the ACL stands behind that, not behind the text. */
static bool parse_channel(const char *channel, struct bus_status *s)
{
	char name[BUS_NAME_MAX], *colon;

	if (strncmp(channel, PREFIX, strlen(PREFIX)) || strlen(channel) >= sizeof(name))
		return false;
	strcpy(name, channel + strlen(PREFIX));
	colon = strchr(name, ':');
	if (!colon || strlen(colon + 1) >= sizeof(s->instance))
		return false;
	*colon = '\0';
	strcpy(s->instance, colon + 1);
	return bus_name_parse(name, &s->daemon, s->gateway);
}

/* What the daemons of another gateway are at is nothing to one of this gateway. */
static bool is_elsewhere(const struct bus *b, const struct bus_status *s)
{
	return bus_daemon_is_of_gateway(b->self) && bus_daemon_is_of_gateway(s->daemon) &&
	       strcmp(b->gateway, s->gateway) != 0;
}

static void on_message(void *arg, const char *channel, const char *text, size_t len)
{
	struct bus *b = arg;
	struct bus_status s = { 0 };
	cJSON *json = len <= MESSAGE_MAX ? json_parse(text, len) : NULL;
	const char *version = json_text(json, "version");

	if (!cJSON_IsObject(json) || !parse_channel(channel, &s)) {
		b->counters.bad_messages++;
		cJSON_Delete(json);
		return;
	}
	if (is_elsewhere(b, &s)) {
		cJSON_Delete(json);
		return;
	}
	snprintf(s.version, sizeof(s.version), "%s", version ? version : "");
	json_get_int(json_get(json, "at"), &s.at);
	s.json = json;
	list_foreach_safe (&b->watchers, it) {
		const struct status_watcher *w = container_of(it, struct status_watcher, node);

		w->on_status(w->arg, &s);
	}
	cJSON_Delete(json);
}

int bus_watch_status(
	struct bus *b, void (*on_status)(void *arg, const struct bus_status *s), void *arg)
{
	struct bus_channel ch = { .on_message = on_message, .arg = b, .pattern = true };
	struct status_watcher *w = malloc(sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	err = bus_channel_add(b, PATTERN, &ch);
	if (err && err != -EEXIST) {
		free(w);
		return err;
	}
	*w = (struct status_watcher){ .on_status = on_status, .arg = arg };
	list_add(&b->watchers, &w->node);
	return 0;
}

uint64_t bus_status_applied(const struct bus_status *s, enum bus_topic topic, enum bus_daemon owner)
{
	char name[BUS_NAME_MAX];
	int64_t gen = 0;

	snprintf(name, sizeof(name), "%s:%s", bus_topic_name(topic), bus_daemon_name(owner));
	if (!json_get_int(json_get(json_get(s->json, "applied"), name), &gen) || gen < 0)
		return 0;
	return (uint64_t)gen;
}

void bus_status_fini(struct bus *b)
{
	list_foreach_safe (&b->watchers, it)
		free(container_of(it, struct status_watcher, node));
}
