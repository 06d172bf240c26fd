/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_sentinel.h"
#include "common/addr.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS	   500
#define CALM_TICKS 10

struct answer {
	bool is_known;
	char server[SENTINEL_SERVER_MAX];
	uint64_t epoch;
};

struct sentinel {
	struct bus_sentinels *all;
	struct bus_conn conn;
	char *server; /* tcp:ADDRESS:PORT */
	char name[80];
	struct answer asked, answer; /* asked: half of an answer */
	bool is_asking, is_strange;  /* strange: what it says was told of */
};

struct bus_sentinels {
	struct sentinel *sentinels;
	size_t n;
	char *master, *user, *password;
	const struct bus_sentinels_ops *ops;
	void *arg;
	struct answer current;
	struct timer tick;
	unsigned ticks;
	unsigned handles; /* tick and connections */
	bool closing;
};

/* ---- answers ---- */

int sentinel_address_parse(const redisReply *r, char server[static SENTINEL_SERVER_MAX])
{
	const char *ip, *port;
	struct endpoint e;
	struct addr a;
	int len;

	if (r->type == REDIS_REPLY_NIL)
		return -ENOENT;
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
		r->element[0]->type != REDIS_REPLY_STRING ||
		r->element[1]->type != REDIS_REPLY_STRING)
		return -EINVAL;
	ip = r->element[0]->str;
	port = r->element[1]->str;
	if (addr_parse(ip, &a))
		return -EINVAL;
	len = snprintf(server, SENTINEL_SERVER_MAX, strchr(ip, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s",
		ip, port);
	if (len < 0 || len >= SENTINEL_SERVER_MAX || endpoint_parse(server + 4, &e))
		return -EINVAL;
	return 0;
}

int sentinel_epoch_parse(const redisReply *r, uint64_t *epoch)
{
	if (r->type != REDIS_REPLY_ARRAY)
		return -EINVAL;
	for (size_t i = 0; i + 1 < r->elements; i += 2) {
		const redisReply *name = r->element[i], *value = r->element[i + 1];
		char *end;

		if (name->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING)
			return -EINVAL;
		if (strcmp(name->str, "config-epoch"))
			continue;
		errno = 0;
		*epoch = strtoull(value->str, &end, 10);
		return errno || *end || value->str[0] < '0' || value->str[0] > '9' ? -EINVAL : 0;
	}
	return -EINVAL;
}

/* ---- the choice ---- */

static size_t count_naming(const struct bus_sentinels *all, const char *server)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += all->sentinels[i].answer.is_known &&
		     !strcmp(all->sentinels[i].answer.server, server);
	return n;
}

/* The newest of the answers that more than half of all Sentinels give, or of all answers. */
static const struct answer *find_newest(const struct bus_sentinels *all, bool of_most)
{
	const struct answer *best = NULL;

	for (size_t i = 0; i < all->n; i++) {
		const struct answer *a = &all->sentinels[i].answer;

		if (a->is_known && (!best || a->epoch > best->epoch) &&
			(!of_most || count_naming(all, a->server) * 2 > all->n))
			best = a;
	}
	return best;
}

static void choose(struct bus_sentinels *all)
{
	const struct answer *best = find_newest(all, true);

	/* Where they are at odds, a master that works is not left. */
	if (!best && !(all->current.is_known && all->ops->is_connected(all->arg)))
		best = find_newest(all, false);
	if (!best || (all->current.is_known && !strcmp(best->server, all->current.server)))
		return;
	all->current = *best;
	log_notice("bus: redis master server=%s epoch=%llu", best->server,
		(unsigned long long)best->epoch);
	all->ops->on_master(all->arg, all->current.server);
}

/* Told once, until it says something that can be used. */
static void complain(struct sentinel *s, const char *why)
{
	if (!s->is_strange)
		log_error("bus: sentinel gives no master name=%s master=%s why=%s", s->server + 4,
			s->all->master, why);
	s->is_strange = true;
	s->answer.is_known = s->asked.is_known = false;
}

static void on_address(void *arg, const redisReply *r)
{
	struct sentinel *s = arg;
	int err;

	s->asked.is_known = false;
	if (!r)
		return;
	err = r->type == REDIS_REPLY_ERROR ? -EIO : sentinel_address_parse(r, s->asked.server);
	s->asked.is_known = !err;
	if (err)
		complain(s, err == -EIO	     ? r->str
			    : err == -ENOENT ? "unknown to it"
					     : "not an IP address and a port");
}

static void on_epoch(void *arg, const redisReply *r)
{
	struct sentinel *s = arg;

	s->is_asking = false;
	if (!r || !s->asked.is_known)
		return;
	if (r->type == REDIS_REPLY_ERROR) {
		complain(s, r->str);
	} else if (sentinel_epoch_parse(r, &s->asked.epoch)) {
		complain(s, "no config-epoch");
	} else if (!s->all->ops->is_allowed(s->all->arg, s->asked.server)) {
		complain(s, "its address is in none of bus.networks");
	} else {
		s->answer = s->asked;
		s->is_strange = false;
		choose(s->all);
	}
}

static void ask(struct sentinel *s)
{
	const char *master = s->all->master;

	if (s->is_asking || !s->conn.up)
		return;
	if (bus_conn_send(
		    &s->conn, on_address, s, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", master, NULL))
		return;
	s->is_asking = !bus_conn_send(&s->conn, on_epoch, s, "SENTINEL", "MASTER", master, NULL);
}

static void on_tick(struct timer *t)
{
	struct bus_sentinels *all = t->data;

	if (++all->ticks < CALM_TICKS && all->ops->is_connected(all->arg))
		return;
	all->ticks = 0;
	for (size_t i = 0; i < all->n; i++)
		ask(&all->sentinels[i]);
}

/* ---- connections ---- */

static void release(struct bus_sentinels *all)
{
	if (--all->handles)
		return;
	all->ops->on_closed(all->arg);
	for (size_t i = 0; i < all->n; i++)
		free(all->sentinels[i].server);
	free(all->sentinels);
	free(all->master);
	free(all->user);
	if (all->password)
		explicit_bzero(all->password, strlen(all->password));
	free(all->password);
	free(all);
}

static void on_up(struct bus_conn *c)
{
	ask(c->data);
}

static void on_down(struct bus_conn *c)
{
	struct sentinel *s = c->data;

	s->answer.is_known = false;
}

static void on_conn_closed(struct bus_conn *c)
{
	release(((struct sentinel *)c->data)->all);
}

static void on_tick_closed(struct timer *t)
{
	release(t->data);
}

static const struct bus_conn_ops sentinel_ops = {
	.on_up = on_up,
	.on_down = on_down,
	.on_closed = on_conn_closed,
};

static int open_one(uv_loop_t *loop, struct sentinel *s, const char *where)
{
	const struct bus_sentinels *all = s->all;
	struct bus_conn_conf conf = { .user = all->user, .password = all->password };

	if (asprintf(&s->server, "tcp:%s", where) < 0) {
		s->server = NULL;
		return -ENOMEM;
	}
	snprintf(s->name, sizeof(s->name), "sentinel-%s", where);
	conf.server = s->server;
	conf.name = s->name;
	return bus_conn_open(loop, &s->conn, &conf, &sentinel_ops, s);
}

static int copy_conf(struct bus_sentinels *all, const struct bus_sentinels_conf *conf)
{
	all->master = strdup(conf->master);
	all->user = strdup(conf->user);
	all->password = conf->password ? strdup(conf->password) : NULL;
	all->sentinels = calloc(conf->servers->n, sizeof(*all->sentinels));
	return all->master && all->user && all->sentinels && (!conf->password || all->password)
		       ? 0
		       : -ENOMEM;
}

struct bus_sentinels *bus_sentinels_open(uv_loop_t *loop, const struct bus_sentinels_conf *conf,
	const struct bus_sentinels_ops *ops, void *arg)
{
	struct bus_sentinels *all = calloc(1, sizeof(*all));
	int err;

	if (!all)
		return NULL;
	all->ops = ops;
	all->arg = arg;
	err = copy_conf(all, conf);
	timer_init(loop, &all->tick, on_tick, all);
	all->handles = 1;
	for (size_t i = 0; i < conf->servers->n && !err; i++) {
		all->sentinels[i].all = all;
		err = open_one(loop, &all->sentinels[i], conf->servers->v[i]);
		if (!all->sentinels[i].conn.loop)
			break;
		all->n++;
		all->handles++;
	}
	timer_start(&all->tick, TICK_MS, TICK_MS);
	if (!err)
		return all;
	bus_sentinels_close(all);
	return NULL;
}

void bus_sentinels_close(struct bus_sentinels *all)
{
	if (all->closing)
		return;
	all->closing = true;
	timer_close(&all->tick, on_tick_closed);
	for (size_t i = 0; i < all->n; i++)
		bus_conn_close(&all->sentinels[i].conn);
}
