/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/db_host.h"
#include "common/addr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PORT = 3306 };

void db_host_fini(struct db_host *host)
{
	free(host->text);
	free(host->socket);
	free(host->address);
	*host = (struct db_host){ 0 };
}

int db_host_parse(const char *text, struct db_host *host)
{
	struct endpoint e = { .port = PORT };
	char address[ADDR_STRLEN];

	*host = (struct db_host){ 0 };
	if (text[0] != '/' && addr_parse(text, &e.addr) && endpoint_parse(text, &e))
		return -EINVAL;
	host->text = strdup(text);
	if (text[0] == '/') {
		host->socket = strdup(text);
	} else {
		addr_format(&e.addr, address);
		host->address = strdup(address);
		host->port = e.port;
	}
	if (host->text && (host->socket || host->address))
		return 0;
	db_host_fini(host);
	return -ENOMEM;
}

int db_hosts_init(struct db_hosts *h, const struct conf_strings *hosts, const char *socket)
{
	size_t n = hosts && hosts->n ? hosts->n : 1;
	int err = 0;

	*h = (struct db_hosts){ .v = calloc(n, sizeof(*h->v)) };
	if (!h->v)
		return -ENOMEM;
	for (; h->n < n && !err; h->n++)
		err = db_host_parse(hosts && hosts->n ? hosts->v[h->n] : socket, &h->v[h->n]);
	return err;
}

void db_hosts_fini(struct db_hosts *h)
{
	for (size_t i = 0; i < h->n; i++)
		db_host_fini(&h->v[i]);
	free(h->v);
	*h = (struct db_hosts){ 0 };
}

bool db_hosts_next(struct db_hosts *h, bool was_ready)
{
	if (!was_ready && h->at + 1 < h->n) {
		h->at++;
		return false;
	}
	h->at = 0;
	h->takes_donor = !was_ready && h->has_donor;
	h->has_donor = false;
	return true;
}

bool db_hosts_accepts(struct db_hosts *h, const struct db_node *node)
{
	if (node->fitness == DB_DONOR)
		h->has_donor = true;
	return node->fitness == DB_FIT || (node->fitness == DB_DONOR && h->takes_donor);
}

size_t db_node_add(struct db_batch *b)
{
	return db_add(b,
		"SELECT VARIABLE_NAME, VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE "
		"VARIABLE_NAME IN ('WSREP_READY', 'WSREP_CLUSTER_STATUS', 'WSREP_LOCAL_STATE') "
		"UNION ALL SELECT VARIABLE_NAME, VARIABLE_VALUE FROM "
		"information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = 'WSREP_ON'",
		"");
}

static bool has_value(const struct db_rows *rows, const char *name, const char *value)
{
	for (size_t i = 0; i < rows->n; i++) {
		const char *found = db_cell(rows, i, 1);

		if (found && !strcasecmp(db_cell(rows, i, 0), name))
			return !strcasecmp(found, value);
	}
	return false;
}

/* States: 1 joining, 2 donor, 3 joined, which still catches up, 4 synced. */
void db_node_take(const struct db_rows *rows, struct db_node *node)
{
	node->is_clustered = has_value(rows, "wsrep_on", "ON");
	if (!node->is_clustered)
		node->fitness = DB_FIT;
	else if (!has_value(rows, "wsrep_ready", "ON") ||
		 !has_value(rows, "wsrep_cluster_status", "Primary"))
		node->fitness = DB_UNFIT;
	else if (has_value(rows, "wsrep_local_state", "4"))
		node->fitness = DB_FIT;
	else if (has_value(rows, "wsrep_local_state", "2") ||
		 has_value(rows, "wsrep_local_state", "3"))
		node->fitness = DB_DONOR;
	else
		node->fitness = DB_UNFIT;
}
