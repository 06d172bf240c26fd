/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_impl.h"
#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BEAT_MS	     5000
#define BEAT_SOON_MS 500

static void free_bus(struct bus *b)
{
	bus_state_fini(b);
	bus_mirror_fini(b);
	bus_event_fini(b);
	bus_queue_fini(b);
	bus_blob_fini(b);
	bus_status_fini(b);
	hmap_fini(&b->channels);
	if (b->password)
		explicit_bzero(b->password, strlen(b->password));
	free(b->server);
	free(b->password);
	free(b->state_dir);
	free(b->cache_dir);
	free(b);
}

void bus_ref(struct bus *b)
{
	b->open++;
}

void bus_unref(struct bus *b)
{
	if (--b->open == 0)
		free_bus(b);
}

static void on_timer_closed(struct timer *t)
{
	bus_unref(t->data);
}

int bus_timer_init(struct bus *b, struct timer *t, void (*on_fire)(struct timer *t))
{
	int err = timer_init(b->loop, t, on_fire, b);

	if (!err)
		bus_ref(b);
	return err;
}

void bus_timer_close(struct timer *t)
{
	timer_close(t, on_timer_closed);
}

/* ---- channels ---- */

static void subscribe(struct bus *b, const char *name, struct bus_channel *ch)
{
	ch->ready = false;
	ch->asked = !bus_conn_send(
		&b->sub, NULL, NULL, ch->pattern ? "PSUBSCRIBE" : "SUBSCRIBE", name, NULL);
	if (!ch->asked)
		bus_beat_soon(b);
}

/* Those that there was no memory to ask for. */
static void subscribe_missing(struct bus *b)
{
	hmap_foreach (&b->channels, it) {
		struct bus_channel *ch = it.value;

		if (b->sub.up && !ch->asked)
			subscribe(b, it.key, ch);
	}
}

int bus_channel_add(struct bus *b, const char *name, const struct bus_channel *channel)
{
	struct bus_channel *ch;

	if (hmap_find_str(&b->channels, name))
		return -EEXIST;
	ch = malloc(sizeof(*ch));
	if (!ch)
		return -ENOMEM;
	*ch = *channel;
	ch->ready = ch->asked = false;
	if (hmap_set_str(&b->channels, name, ch)) {
		free(ch);
		return -ENOMEM;
	}
	if (b->sub.up)
		subscribe(b, name, ch);
	return 0;
}

static void on_sub_up(struct bus_conn *c)
{
	struct bus *b = c->data;

	hmap_foreach (&b->channels, it)
		subscribe(b, it.key, it.value);
}

static void on_push(struct bus_conn *c, const redisReply *r)
{
	struct bus *b = c->data;
	const char *kind = r->element[0]->str;
	bool pattern = kind[0] == 'p';
	size_t payload = pattern ? 3 : 2;
	struct bus_channel *ch;

	if (b->closing || r->element[1]->type != REDIS_REPLY_STRING)
		return;
	ch = hmap_find(&b->channels, r->element[1]->str, r->element[1]->len);
	if (!ch)
		return;
	if (!strcmp(kind + pattern, "subscribe")) {
		ch->ready = true;
		if (ch->on_ready)
			ch->on_ready(ch->arg);
	} else if (!strcmp(kind + pattern, "message") && r->elements == payload + 1 &&
		   r->element[payload]->type == REDIS_REPLY_STRING) {
		ch->on_message(ch->arg, r->element[payload - 1]->str, r->element[payload]->str,
			r->element[payload]->len);
	}
}

static void on_sub_down(struct bus_conn *c)
{
	struct bus *b = c->data;

	hmap_foreach (&b->channels, it)
		((struct bus_channel *)it.value)->ready = false;
	if (!b->closing)
		bus_sync_on_down(b);
}

/* ---- commands ---- */

static void on_cmd_up(struct bus_conn *c)
{
	struct bus *b = c->data;

	bus_state_on_up(b);
	bus_sync_check_all(b);
	bus_queue_on_up(b);
	bus_blob_on_up(b);
	bus_event_on_up(b);
	bus_status_publish(b);
}

static void on_cmd_down(struct bus_conn *c)
{
	struct bus *b = c->data;

	if (!b->closing)
		bus_sync_on_down(b);
}

static void on_conn_closed(struct bus_conn *c)
{
	bus_unref(c->data);
}

static const struct bus_conn_ops cmd_ops = {
	.on_up = on_cmd_up,
	.on_down = on_cmd_down,
	.on_closed = on_conn_closed,
};
static const struct bus_conn_ops sub_ops = {
	.on_up = on_sub_up,
	.on_down = on_sub_down,
	.on_push = on_push,
	.on_closed = on_conn_closed,
};

/* ---- the turn and the beat ---- */

void bus_soon(struct bus *b)
{
	if (!b->closing && !timer_is_active(&b->soon))
		timer_start(&b->soon, 0, 0);
}

void bus_beat_soon(struct bus *b)
{
	if (!b->closing)
		timer_start(&b->beat, BEAT_SOON_MS, BEAT_MS);
}

static void on_soon(struct timer *t)
{
	struct bus *b = t->data;

	bus_state_on_soon(b);
	bus_sync_on_soon(b);
	if (b->status_due)
		bus_status_publish(b);
}

static void on_beat(struct timer *t)
{
	struct bus *b = t->data;

	subscribe_missing(b);
	bus_state_check(b);
	bus_sync_check_all(b);
	bus_queue_on_beat(b);
	bus_blob_on_beat(b);
	bus_status_publish(b);
}

static int copy_conf(struct bus *b, const struct conf_shared *conf, const char *version)
{
	b->server = conf->redis_sentinels.n ? NULL : strdup(conf->redis);
	b->state_dir = strdup(conf->state_dir);
	b->cache_dir = strdup(conf->cache_dir);
	if (conf->redis_password.value)
		b->password = strdup(conf->redis_password.value);
	snprintf(b->instance, sizeof(b->instance), "%s", conf->instance);
	snprintf(b->version, sizeof(b->version), "%s", version);
	if ((!b->server && !conf->redis_sentinels.n) || !b->state_dir || !b->cache_dir ||
		(conf->redis_password.value && !b->password))
		return -ENOMEM;
	return 0;
}

/* ---- the master ---- */

static void on_master(void *arg, const char *server)
{
	struct bus *b = arg;
	char *old = b->server, *copy = b->closing ? NULL : strdup(server);

	if (!copy)
		return;
	b->server = copy;
	bus_conn_set_server(&b->cmd, copy);
	bus_conn_set_server(&b->sub, copy);
	free(old);
	if (b->on_server)
		b->on_server(b->on_server_arg);
}

static bool is_master_allowed(void *arg, const char *server)
{
	const struct bus *b = arg;
	struct endpoint e;

	return !endpoint_parse(server + strlen("tcp:"), &e) && conf_is_inside(b->conf, &e.addr);
}

static bool is_master_connected(void *arg)
{
	return bus_is_connected(arg);
}

static void on_sentinels_closed(void *arg)
{
	bus_unref(arg);
}

static int open_sentinels(struct bus *b, const struct conf_shared *conf)
{
	static const struct bus_sentinels_ops ops = {
		.on_master = on_master,
		.is_connected = is_master_connected,
		.is_allowed = is_master_allowed,
		.on_closed = on_sentinels_closed,
	};
	struct bus_sentinels_conf sentinels = {
		.servers = &conf->redis_sentinels,
		.master = conf->redis_master,
		.user = b->user,
		.password = conf->redis_sentinel_auth ? b->password : NULL,
	};

	if (!conf->redis_sentinels.n)
		return 0;
	bus_ref(b);
	b->sentinels = bus_sentinels_open(b->loop, &sentinels, &ops, b);
	return b->sentinels ? 0 : -ENOMEM;
}

const char *bus_server(const struct bus *b)
{
	return b->server;
}

void bus_watch_server(struct bus *b, void (*on_server)(void *arg), void *arg)
{
	b->on_server = on_server;
	b->on_server_arg = arg;
}

/* ---- life ---- */

static int open_connections(struct bus *b, const struct conf_shared *conf_shared)
{
	struct bus_conn_conf conf = {
		.server = b->server,
		.wants_master = conf_shared->redis_sentinels.n,
		.user = b->user,
		.password = b->password,
		.name = "commands",
	};
	int err = bus_conn_open(b->loop, &b->cmd, &conf, &cmd_ops, b);

	if (err)
		return err;
	bus_ref(b);
	conf.subscribing = true;
	conf.name = "subscriptions";
	err = bus_conn_open(b->loop, &b->sub, &conf, &sub_ops, b);
	if (err)
		return err;
	bus_ref(b);
	return open_sentinels(b, conf_shared);
}

/* A gateway's daemons have its name behind theirs; apid and syncd are everybody's. */
static void name_daemons(struct bus *b)
{
	for (int i = 0; i < BUS_DAEMONS; i++) {
		enum bus_daemon d = (enum bus_daemon)i;
		bool has_gateway = *b->gateway && bus_daemon_is_of_gateway(d);

		snprintf(b->names[i], sizeof(b->names[i]), "%s%s%s", bus_daemon_name(d),
			has_gateway ? "@" : "", has_gateway ? b->gateway : "");
	}
	if (b->conf->bus_user)
		snprintf(b->user, sizeof(b->user), "%s%s%s", b->conf->bus_user,
			*b->gateway ? "@" : "", b->gateway);
	else
		snprintf(b->user, sizeof(b->user), "%s", bus_name(b, b->self));
}

bool bus_serves_tunnel(const struct bus *b, const char *tunnel)
{
	return !bus_daemon_is_of_gateway(b->self) || conf_serves_tunnel(b->conf, tunnel);
}

static struct bus *open_bus(uv_loop_t *loop, enum bus_daemon self, const struct conf_shared *conf,
	const char *version, const char *gateway, bool is_view)
{
	struct bus *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->loop = loop;
	b->self = self;
	b->conf = conf;
	b->is_view = is_view;
	snprintf(b->gateway, sizeof(b->gateway), "%s", gateway ? gateway : "");
	name_daemons(b);
	b->started_at = clock_wall_ms();
	b->disk.lock = -1;
	hmap_init(&b->channels, free);
	list_init(&b->watchers);
	list_init(&b->requests.waiting);
	list_init(&b->requests.calls);
	/* Initialising a timer or a connection cannot fail in libuv; memory can. */
	if (copy_conf(b, conf, version)) {
		free_bus(b);
		return NULL;
	}
	bus_timer_init(b, &b->soon, on_soon);
	bus_timer_init(b, &b->beat, on_beat);
	timer_start(&b->beat, BEAT_MS, BEAT_MS);
	bus_sync_init(b);
	bus_event_init(b);
	bus_disk_open(b);
	if (!is_view)
		bus_queue_open(b);
	if (bus_request_init(b) || open_connections(b, conf)) {
		bus_close(b);
		return NULL;
	}
	return b;
}

struct bus *bus_open(
	uv_loop_t *loop, enum bus_daemon self, const struct conf_shared *conf, const char *version)
{
	const char *gateway = bus_daemon_is_of_gateway(self) ? conf->gateway : "";

	return open_bus(loop, self, conf, version, gateway, false);
}

struct bus *bus_open_gateway(uv_loop_t *loop, enum bus_daemon self, const struct conf_shared *conf,
	const char *version, const char *gateway)
{
	return open_bus(loop, self, conf, version, gateway, true);
}

void bus_close(struct bus *b)
{
	if (b->closing)
		return;
	b->closing = true;
	bus_ref(b);
	if (b->cmd.loop)
		bus_conn_close(&b->cmd);
	if (b->sub.loop)
		bus_conn_close(&b->sub);
	if (b->sentinels)
		bus_sentinels_close(b->sentinels);
	bus_state_cancel(b);
	bus_request_cancel(b);
	bus_blob_cancel(b);
	bus_disk_close(b);
	bus_timer_close(&b->soon);
	bus_timer_close(&b->beat);
	bus_timer_close(&b->work);
	bus_timer_close(&b->events.flush);
	bus_unref(b);
}

bool bus_is_connected(const struct bus *b)
{
	return b->cmd.up && b->sub.up;
}
