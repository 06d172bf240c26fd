/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/api.h"
#include "apid/gateways.h"
#include "common/buf.h"

/* What wgd says of its tunnels: what a device needs to connect. */
struct tunnel_info {
	char public_key[PUBLIC_KEY_LEN + 1];
	int64_t port;
};

struct tunnels {
	struct hmap by_name; /* → struct tunnel_info */
	struct tunnels_of {
		struct tunnels *all;
		const struct gateway *gateway;
		const struct conf_shared *conf;
	} of[GATEWAYS_MAX];
};

/* Subscribes; t must outlive the bus. A gateway is heard about its own tunnels alone. 0 or -errno.
 */
int tunnels_open(struct tunnels *t, const struct gateways *gateways);
void tunnels_fini(struct tunnels *t);
/* NULL: wgd has not said. */
const struct tunnel_info *tunnels_find(const struct tunnels *t, const char *name);

/* Where devices reach the tunnel from outside, NULL = it is not known. */
const char *tunnels_endpoint(const struct api *a, const struct conf_tunnel *t);
/* A file for wg-quick and the WireGuard apps. private_key NULL: a comment stands in its place. 0;
 * -EAGAIN: the endpoint or the tunnel is not known. */
int tunnels_config(const struct api *a, const cJSON *device, const char *private_key,
	const char *preshared_key, struct buf *out);
