/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"

/*
 * The gateways whose devices this apid administers (SPEC O4): those that its configuration's
 * tunnels name, each with the bus as it is seen from there. The first is the gateway without a
 * name, the only one where no tunnel names any; it is there also when it has no tunnel.
 */
enum { GATEWAYS_MAX = 65, GATEWAY_NAME = 17 };

struct gateway {
	char name[GATEWAY_NAME]; /* "" = the one without */
	struct bus *bus;
	bool has_tunnels; /* a gateway without has no daemons that could be missing */
};

struct gateways {
	struct gateway v[GATEWAYS_MAX];
	size_t n;
	const struct conf_shared *conf; /* kept, not copied */
};

/* bus: apid's own, kept. 0 or -errno. */
int gateways_open(struct gateways *g, uv_loop_t *loop, struct bus *bus,
	const struct conf_shared *conf, const char *version);
void gateways_close(struct gateways *g); /* all but the bus that was given */
/* Whose tunnel is it? The first one's where it is nobody's (NULL, unknown). */
const struct gateway *gateways_of_tunnel(const struct gateways *g, const char *tunnel);
/* The same for a device as the API has it, or the text of its row. */
const struct gateway *gateways_of_device(const struct gateways *g, const cJSON *device);
const struct gateway *gateways_of_row(const struct gateways *g, const char *row_text);
/* NULL: there is none of that name. */
const struct gateway *gateways_find(const struct gateways *g, const char *name);

/* bus_event_subscribe with every gateway. 0 or -errno. */
int gateways_event_subscribe(const struct gateways *g, enum bus_event ev,
	void (*on_event)(void *arg, enum bus_event ev, const void *rec), void *arg);
