/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/gateways.h"
#include "common/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct gateway *find(struct gateways *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++) {
		if (!strcmp(g->v[i].name, name))
			return &g->v[i];
	}
	return NULL;
}

const struct gateway *gateways_find(const struct gateways *g, const char *name)
{
	return find((struct gateways *)g, name);
}

static struct gateway *add(struct gateways *g, const char *name, struct bus *bus)
{
	struct gateway *new = g->n < GATEWAYS_MAX ? &g->v[g->n] : NULL;

	if (!new || !bus)
		return NULL;
	*new = (struct gateway){ .bus = bus };
	snprintf(new->name, sizeof(new->name), "%s", name);
	g->n++;
	return new;
}

int gateways_open(struct gateways *g, uv_loop_t *loop, struct bus *bus,
	const struct conf_shared *conf, const char *version)
{
	*g = (struct gateways){ .conf = conf };
	add(g, "", bus);
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		const char *name = conf->tunnels[i].gateway;
		struct gateway *one = find(g, name);

		if (!one)
			one = add(g, name, bus_open_gateway(loop, BUS_APID, conf, version, name));
		if (!one)
			return -ENOMEM;
		one->has_tunnels = true;
	}
	if (!conf->tunnel_count)
		g->v[0].has_tunnels = true;
	return 0;
}

void gateways_close(struct gateways *g)
{
	for (size_t i = 1; i < g->n; i++)
		bus_close(g->v[i].bus);
	g->n = 0;
}

const struct gateway *gateways_of_tunnel(const struct gateways *g, const char *tunnel)
{
	for (size_t i = 0; tunnel && i < g->conf->tunnel_count; i++) {
		const struct conf_tunnel *t = &g->conf->tunnels[i];

		if (!strcmp(t->name, tunnel))
			return gateways_find(g, t->gateway);
	}
	return &g->v[0];
}

const struct gateway *gateways_of_device(const struct gateways *g, const cJSON *device)
{
	return gateways_of_tunnel(g, cJSON_GetStringValue(json_get(device, "tunnel")));
}

const struct gateway *gateways_of_row(const struct gateways *g, const char *row_text)
{
	cJSON *device = g->n > 1 && row_text ? json_parse(row_text, strlen(row_text)) : NULL;
	const struct gateway *of = gateways_of_device(g, device);

	cJSON_Delete(device);
	return of;
}

int gateways_event_subscribe(const struct gateways *g, enum bus_event ev,
	void (*on_event)(void *arg, enum bus_event ev, const void *rec), void *arg)
{
	int err = 0;

	for (size_t i = 0; i < g->n && !err; i++)
		err = bus_event_subscribe(g->v[i].bus, ev, on_event, arg);
	return err;
}
