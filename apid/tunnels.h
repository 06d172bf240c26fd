/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/api.h"
#include "common/buf.h"

/* What wgd says of its tunnels: what a device needs to connect. */
struct tunnel_info {
	char public_key[PUBLIC_KEY_LEN + 1];
	int64_t port;
};

struct tunnels {
	struct hmap by_name; /* → struct tunnel_info */
};

/* Subscribes; t must outlive the bus. 0 or -errno. */
int tunnels_open(struct tunnels *t, struct bus *bus);
void tunnels_fini(struct tunnels *t);
/* NULL: wgd has not said. */
const struct tunnel_info *tunnels_find(const struct tunnels *t, const char *name);

/* A file for wg-quick and the WireGuard apps. private_key NULL: a comment stands in its place. 0;
 * -EAGAIN: settings.endpoint or the tunnel is not known. */
int tunnels_config(const struct api *a, const cJSON *device, const char *private_key,
	const char *preshared_key, struct buf *out);
