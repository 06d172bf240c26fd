/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/bus.h"
#include "apid/front.h"
#include "apid/store.h"

/* The provisioning API (SPEC A1): the listener and its requests. */
struct provision {
	const struct conf_tunnel *tunnels; /* kept, not copied */
	size_t tunnel_count;
	struct store *store;
	struct publisher *publisher;
	struct front *front;
};

/* p is filled but for front, and outlives it. The caller closes and frees p->front. 0 or -errno. */
int provision_open(uv_loop_t *loop, const struct endpoint *at, struct provision *p);
