/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/db.h"
#include "common/conf.h"

/*
 * The servers of the database: one by its socket, or several, nodes of a Galera cluster as a rule,
 * tried in their order. All apid that have them in the same order write to the same node, where
 * what they do at once waits instead of failing.
 */
struct db_host {
	char *text;    /* as it is configured */
	char *socket;  /* path, or NULL: */
	char *address; /* of an IP address */
	unsigned port;
};

struct db_hosts {
	struct db_host *v;
	size_t n, at; /* at: the one that is used or tried */
	/* A donor, which may stand still while it feeds another node, is taken only after a round
	 * that found nothing better. */
	bool has_donor, takes_donor;
};

/* What a server says of itself. */
struct db_node {
	bool is_clustered; /* Galera is on */
	enum db_fitness { DB_FIT, DB_DONOR, DB_UNFIT } fitness;
};

/* /PATH, ADDRESS or ADDRESS:PORT; names would have to be resolved, which blocks. 0, -EINVAL or
 * -ENOMEM; host is empty then. */
int db_host_parse(const char *text, struct db_host *host);
void db_host_fini(struct db_host *host);

/* hosts, or socket where there are none. 0 or -errno. */
int db_hosts_init(struct db_hosts *h, const struct conf_strings *hosts, const char *socket);
void db_hosts_fini(struct db_hosts *h);
/* The one at hand is lost (was_ready) or no good. True: all were tried, wait before the next. */
bool db_hosts_next(struct db_hosts *h, bool was_ready);
/* May a node like that be used now? */
bool db_hosts_accepts(struct db_hosts *h, const struct db_node *node);

/* Adds the question that db_node_take reads the answer of. */
size_t db_node_add(struct db_batch *b);
void db_node_take(const struct db_rows *rows, struct db_node *node);
