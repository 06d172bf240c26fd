/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus_conn.h"
#include "common/conf.h"

/*
 * Which of several Redis servers is the master, by their Sentinels
 * (https://redis.io/docs/latest/develop/reference/sentinel-clients/). There is a connection to each
 * Sentinel: all are asked, and the server that more than half of them name counts, so that one that
 * was cut off, watches over others or lies leads nobody away. Where no server has so many, a master
 * that works is kept, else the answer with the highest configuration epoch counts. While
 * `is_connected` says no they are asked every 500 ms, else every 5 s, which finds a master that was
 * replaced without its connections' notice.
 */
struct bus_sentinels;

struct bus_sentinels_conf {
	const struct conf_strings *servers; /* ADDRESS:PORT */
	const char *master;		    /* its name with the Sentinels */
	const char *user;
	const char *password; /* NULL: no AUTH */
};

struct bus_sentinels_ops {
	/* Another server is the master now: tcp:ADDRESS:PORT, valid during the call. */
	void (*on_master)(void *arg, const char *server);
	bool (*is_connected)(void *arg);		   /* to the master */
	bool (*is_allowed)(void *arg, const char *server); /* another one's answer is none */
	void (*on_closed)(void *arg); /* the last handle is gone, the memory is freed next */
};

/* Copies what conf points to. NULL without memory. */
struct bus_sentinels *bus_sentinels_open(uv_loop_t *loop, const struct bus_sentinels_conf *conf,
	const struct bus_sentinels_ops *ops, void *arg);
void bus_sentinels_close(struct bus_sentinels *all);

#define SENTINEL_SERVER_MAX 64 /* bytes of tcp:ADDRESS:PORT with its zero */

/* The reply of SENTINEL GET-MASTER-ADDR-BY-NAME: an array of an IP address and a port. 0, -ENOENT
 * for a name that the Sentinel does not know, -EINVAL for anything else. */
int sentinel_address_parse(const redisReply *r, char server[static SENTINEL_SERVER_MAX]);
/* The reply of SENTINEL MASTER, names and values in turn: config-epoch. 0 or -EINVAL. */
int sentinel_epoch_parse(const redisReply *r, uint64_t *epoch);
