/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"
#include "proxyd/proxy.h"
#include "proxyd/target.h"

/*
 * Idle connections to web servers, by scheme, host and port, for whoever asks next: the last one
 * that was put in is the first taken out. Bounded for each place, each device and in all (the
 * oldest goes); closed after a minute of rest and at an age of ten. What was connected for one
 * device is given to another only if the guard lets it there now (SPEC P15).
 */

struct pool;

/* NULL without memory. max: connections in all, 0 = none is kept. */
struct pool *pool_open(struct proxy *p, size_t max);
/* Closes what is in it. Freed by the loop. */
void pool_close(struct pool *pool);
/* A connection at rest for at most rest_ms (0 = whatever), as far as can be seen alive; the
 * caller's, who sets its callbacks. NULL = none. */
struct http_client *pool_take(
	struct pool *pool, const struct target *t, const struct addr *device, uint32_t rest_ms);
/* Takes an idle connection over. */
void pool_put(struct pool *pool, const struct target *t, const struct addr *device,
	struct http_client *c);
/* Closes the oldest one, where descriptors are short. False: there is none. */
bool pool_shed(struct pool *pool);
size_t pool_count(const struct pool *pool);
