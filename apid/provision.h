/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/bus.h"
#include "apid/store.h"

/* The provisioning API (SPEC A1): the listener and its requests. */
struct provision;

struct provision_options {
	struct endpoint at;
	const struct conf_tunnel *tunnels; /* kept, not copied */
	size_t tunnel_count;
	struct store *store;
	struct publisher *publisher;
};

/* 0 or -errno. */
int provision_open(
	uv_loop_t *loop, const struct provision_options *options, struct provision **out);
/* Requests under way end without an answer. */
void provision_close(struct provision *p);
void provision_free(struct provision *p); /* after the loop has ended */
