/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/bus.h"
#include "apid/gateways.h"
#include "apid/store.h"

/*
 * The requests device_upsert and device_remove on the bus (SPEC W5): wg_upsert and wg_remove for
 * wgd, which follows K's file. The error's code says what to do: `refused` this device, as it is,
 * never; `later` again.
 */
struct device_request {
	const struct conf_tunnel *tunnels; /* kept, not copied */
	size_t tunnel_count;
	struct store *store;
	struct publisher *publisher;
	struct device_request_of {
		const struct device_request *all;
		const struct gateway *gateway;
		const struct gateways *gateways;
	} of[GATEWAYS_MAX];
};

/* r must outlive the bus. A gateway's wgd makes and removes devices of its own tunnels alone. 0 or
 * -errno. */
int device_request_serve(struct device_request *r, const struct gateways *gateways);
