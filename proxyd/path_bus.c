/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "proxyd/path_reader.h"
#include <errno.h>

static void on_devices(void *arg)
{
	struct path_reader *r = arg;

	path_policy_changed(r);
	if (r->p.dir)
		directory_applied(r->p.dir);
}

static void on_policy(void *arg)
{
	struct path_reader *r = arg;

	path_policy_changed(r);
}

static void add_count(cJSON *status, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(status, name, (double)value);
}

static void on_status(void *arg, cJSON *status)
{
	const struct path_reader *r = arg;

	cJSON_AddBoolToObject(status, "reading", r->queue != NULL);
	add_count(status, "packets", r->packets);
	add_count(status, "allowed", r->allowed);
	add_count(status, "denied", r->denied);
	add_count(status, "unproven", r->unproven);
	add_count(status, "dropped", r->dropped);
	add_count(status, "lost", r->queue ? path_queue_lost(r->queue) : 0);
	add_count(status, "flows", r->flows.count);
	add_count(status, "readings", r->flows.reading_count);
	add_count(status, "flows_cut", r->live.killed);
	accesses_report(&r->p, status);
}

int path_bus_open(struct path_reader *r)
{
	static const struct directory_ops ops = { .on_batch_end = on_devices };
	struct proxy *p = &r->p;
	int err;

	p->dir = directory_open(&p->d->loop, p->d->bus, &ops, r);
	if (!p->dir)
		return -ENOMEM;
	p->policy = policy_open(&p->d->loop, p->d->bus, p->dir, on_policy, r);
	if (!p->policy)
		return -ENOMEM;
	directory_applied(p->dir);
	bus_set_status_source(p->d->bus, on_status, r);
	err = own_names_subscribe(&p->guard.names, p->d->bus);
	return err ? err : accesses_open(p);
}

void path_bus_close(struct path_reader *r)
{
	struct proxy *p = &r->p;

	bus_set_status_source(p->d->bus, NULL, NULL);
	accesses_close(p);
	if (p->policy)
		policy_close(p->policy);
	if (p->dir)
		directory_close(p->dir);
	p->policy = NULL;
	p->dir = NULL;
}
