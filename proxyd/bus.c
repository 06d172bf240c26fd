/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/bus.h"
#include <errno.h>

/* Requests are judged as they come, so that what was delivered is in force at once. */
static void on_devices(void *arg)
{
	struct proxy *p = arg;

	if (p->dir)
		directory_applied(p->dir);
}

static void add_count(cJSON *status, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(status, name, (double)value);
}

static void on_status(void *arg, cJSON *status)
{
	const struct proxy *p = arg;

	add_count(status, "accepted", p->accepted);
	add_count(status, "refused_clients", p->refused_clients);
	add_count(status, "requests", p->requests);
	add_count(status, "allowed", p->allowed);
	add_count(status, "blocked", p->blocked);
	add_count(status, "failed", p->failed);
	add_count(status, "leaves_made", cert_minter_made(p->minter));
}

struct device_view *proxy_device(struct proxy *p, const struct addr *a)
{
	return p->dir && !p->stopping ? directory_find(p->dir, a) : NULL;
}

int proxy_bus_open(struct proxy *p)
{
	static const struct directory_ops ops = { .on_batch_end = on_devices };

	p->dir = directory_open(&p->d->loop, p->d->bus, &ops, p);
	if (!p->dir)
		return -ENOMEM;
	p->policy = policy_open(&p->d->loop, p->d->bus, p->dir, NULL, NULL);
	if (!p->policy)
		return -ENOMEM;
	directory_applied(p->dir);
	bus_set_status_source(p->d->bus, on_status, p);
	return 0;
}

void proxy_bus_close(struct proxy *p)
{
	bus_set_status_source(p->d->bus, NULL, NULL);
	if (p->policy)
		policy_close(p->policy);
	if (p->dir)
		directory_close(p->dir);
	p->policy = NULL;
	p->dir = NULL;
}
