/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_socket.h"
#include "common/log.h"
#include "syncd/directus_message.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS      1000
#define RETRY_MAX_MS  60000
#define DOUBLINGS_MAX 6
#define DEADLINE_MS   20000 /* for the token's answer */
#define QUIET_MS      20000 /* without a word it is asked whether it lives, and once more is gone */

static void end_attempt(struct directus_socket *s, const char *why);

/* ---- messages ---- */

static void send_json(struct directus_socket *s, cJSON *json)
{
	char *text = json_format(json);

	cJSON_Delete(json);
	if (!text)
		return;
	websocket_client_send(&s->socket, text, strlen(text));
	explicit_bzero(text, strlen(text));
	free(text);
}

static cJSON *make_message(const char *type)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "type", type);
	return json;
}

void directus_socket_subscribe(struct directus_socket *s, const char *collection)
{
	cJSON *json, *query;

	if (s->state != SOCKET_OPEN || !*collection || hmap_find_str(&s->subscribed, collection) ||
		hmap_set_str(&s->subscribed, collection, s))
		return;
	json = make_message("subscribe");
	cJSON_AddStringToObject(json, "collection", collection);
	cJSON_AddStringToObject(json, "uid", collection);
	/* That something has changed is all that we want to know. */
	query = cJSON_AddObjectToObject(json, "query");
	cJSON_AddItemToArray(cJSON_AddArrayToObject(query, "fields"), cJSON_CreateString("id"));
	cJSON_AddNumberToObject(query, "limit", 1);
	send_json(s, json);
}

static void take_welcome(struct directus_socket *s)
{
	if (s->state != SOCKET_GREETS)
		return;
	s->state = SOCKET_OPEN;
	timer_start(&s->timer, QUIET_MS, 0);
	s->failures = 0;
	if (*s->error)
		log_notice("Directus tells of changes again");
	s->error[0] = 0;
	s->ops->on_open(s->arg);
	/* What changed before the subscriptions were in force. */
	s->ops->on_hint(s->arg, NULL);
}

static void on_text(void *arg, const char *text, size_t len)
{
	struct directus_socket *s = arg;
	struct directus_message m;

	s->is_quiet = false;
	if (s->state == SOCKET_OPEN)
		timer_start(&s->timer, QUIET_MS, 0);
	directus_message_parse(text, len, &m);
	switch (m.kind) {
	case MESSAGE_WELCOME:
		take_welcome(s);
		break;
	case MESSAGE_REFUSED:
		end_attempt(s, "the token was not accepted");
		break;
	case MESSAGE_PING:
		send_json(s, make_message("pong"));
		break;
	case MESSAGE_CHANGED:
		s->hints++;
		s->ops->on_hint(s->arg, m.collection);
		break;
	case MESSAGE_NOT_SUBSCRIBED:
		log_debug("Directus does not tell of a collection collection=%s error=%s",
			m.collection, m.text);
		break;
	case MESSAGE_OTHER:
		break;
	}
}

/* ---- an attempt ---- */

static void on_open(void *arg)
{
	struct directus_socket *s = arg;
	cJSON *json = make_message("auth");

	s->state = SOCKET_GREETS;
	timer_start(&s->timer, DEADLINE_MS, 0);
	cJSON_AddStringToObject(json, "access_token", directus_client_token(s->client));
	send_json(s, json);
}

static void on_end(void *arg, const char *why)
{
	end_attempt(arg, why);
}

static const struct websocket_client_ops ops_of_socket = { on_open, on_text, on_end };

static void on_addresses(void *arg, int status, const struct addr *addrs, size_t n)
{
	struct directus_socket *s = arg;
	const struct directus_client *c = s->client;
	char path[sizeof(c->at.target) + sizeof("/websocket")];
	const struct websocket_target to = { .addr = &addrs[0],
		.port = (uint16_t)c->at.port,
		.tls = c->is_tls ? c->tls : NULL,
		.host = c->at.host,
		.authority = c->at.authority,
		.path = path };

	(void)n;
	s->query = NULL;
	if (status) {
		end_attempt(s, "its name has no address");
		return;
	}
	s->state = SOCKET_CONNECTS;
	snprintf(path, sizeof(path), "%s/websocket", c->at.target);
	if (websocket_client_connect(&s->socket, c->loop, &to))
		end_attempt(s, "cannot connect");
}

/* Directus is there, and a token is: a login is made with this question. */
static void on_asked(void *arg, struct directus_answer *a)
{
	struct directus_socket *s = arg;

	if (s->state != SOCKET_ASKS)
		return;
	if (a->outcome != DIRECTUS_OK && a->outcome != DIRECTUS_FORBIDDEN) {
		end_attempt(s, a->text);
		return;
	}
	s->state = SOCKET_RESOLVES;
	s->query = resolver_start(s->client->resolver, s->client->at.host, on_addresses, s);
	if (!s->query)
		end_attempt(s, "out of memory");
}

static void start_attempt(struct directus_socket *s)
{
	s->state = SOCKET_ASKS;
	if (directus_ask(s->client, "GET", "/users/me?fields=id", NULL, on_asked, s))
		end_attempt(s, "out of memory");
}

/* ---- its end ---- */

static void drop_connection(struct directus_socket *s)
{
	if (s->query)
		resolver_cancel(s->query);
	s->query = NULL;
	websocket_client_close(&s->socket);
	hmap_clear(&s->subscribed);
	s->is_quiet = false;
}

static void end_attempt(struct directus_socket *s, const char *why)
{
	unsigned doublings = s->failures < DOUBLINGS_MAX ? s->failures : DOUBLINGS_MAX;
	uint64_t delay = (uint64_t)RETRY_MS << doublings;
	char text[sizeof(s->error)];

	if (s->state == SOCKET_CLOSED || s->state == SOCKET_WAITS)
		return;
	snprintf(text, sizeof(text), "%s", why);
	if (strcmp(text, s->error) != 0)
		log_warning("Directus tells of no changes, only the poll finds them error=\"%s\"",
			text);
	memcpy(s->error, text, sizeof(text));
	drop_connection(s);
	s->failures++;
	s->state = SOCKET_WAITS;
	timer_start(&s->timer, delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS, 0);
}

static void on_timer(struct timer *t)
{
	struct directus_socket *s = t->data;

	if (s->state == SOCKET_WAITS) {
		start_attempt(s);
	} else if (s->state == SOCKET_OPEN && !s->is_quiet) {
		s->is_quiet = true;
		timer_start(&s->timer, QUIET_MS, 0);
		send_json(s, make_message("ping"));
	} else {
		end_attempt(s, "nothing comes");
	}
}

/* ---- life ---- */

void directus_socket_open(struct directus_socket *s, struct directus_client *client,
	const struct directus_socket_ops *ops, void *arg)
{
	*s = (struct directus_socket){ .client = client, .ops = ops, .arg = arg };
	websocket_client_init(&s->socket, &ops_of_socket, s);
	hmap_init(&s->subscribed, NULL);
	timer_init(client->loop, &s->timer, on_timer, s);
}

void directus_socket_start(struct directus_socket *s)
{
	timer_start(&s->timer, 0, 0);
}

void directus_socket_report(const struct directus_socket *s, cJSON *status)
{
	cJSON *json = cJSON_AddObjectToObject(status, "directus_push");

	cJSON_AddBoolToObject(json, "open", s->state == SOCKET_OPEN);
	cJSON_AddNumberToObject(json, "hints", (double)s->hints);
	if (*s->error)
		cJSON_AddStringToObject(json, "error", s->error);
}

void directus_socket_close(struct directus_socket *s)
{
	s->state = SOCKET_CLOSED;
	drop_connection(s);
	timer_close(&s->timer, NULL);
}

void directus_socket_fini(struct directus_socket *s)
{
	hmap_fini(&s->subscribed);
	websocket_client_fini(&s->socket);
}
