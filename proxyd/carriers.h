/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http2_client.h"
#include "proxyd/proxy.h"
#include "proxyd/target.h"

/*
 * HTTP/2 connections to web servers, by device, host and port: each carries that device's requests
 * to that place, as many at a time as the server lets it; no other device's, so that none can hold
 * another's up. They close after a minute of rest and take nothing new at an age of ten; beyond
 * pool_max of them the oldest at rest goes. Where a device may not connect any more none is used
 * (SPEC P15).
 */

/* What a place is to a device, as a key. */
#define CARRIERS_KEY_MAX (sizeof(struct addr) + 2 + TARGET_HOST_LEN)
size_t carriers_key(
	const struct target *t, const struct addr *device, char out[static CARRIERS_KEY_MAX]);
/* A client for one request over a connection that is there; was_refused: not where that may happen
 * again. NULL = none. */
struct http_client *carriers_take(
	struct proxy *p, const struct target *t, const struct addr *device, bool was_refused);
/* Takes an open stream over that has agreed on h2, and is a client of it; NULL: without memory, it
 * is closed. limits: for each request. */
struct http_client *carriers_put(struct proxy *p, const struct target *t, const struct addr *device,
	struct stream *s, const struct http_limits *limits);
/* Closes all (daemon stop). */
void carriers_close(struct proxy *p);
