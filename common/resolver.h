/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include <uv.h>

/*
 * Names to addresses over one DNS server (dnsd's system listener), on c-ares and the loop; never
 * getaddrinfo, never /etc/hosts or a search list.
 */
struct resolver;
struct resolver_query;

#define RESOLVER_MAX_ADDRS 16

/* addrs: IPv6 and IPv4 as the server ordered them, at most RESOLVER_MAX_ADDRS. status 0, or -ENOENT
 * (the name has no address), -ETIMEDOUT, -EINVAL (no name), -EIO (the server failed), -ECANCELED.
 */
typedef void (*resolver_on_done)(void *arg, int status, const struct addr *addrs, size_t n);

/* NULL without memory. */
struct resolver *resolver_open(uv_loop_t *loop, const struct endpoint *server);
/* Ends running queries with -ECANCELED and frees itself in the last close callback. */
void resolver_close(struct resolver *r);
/* Always answers from the loop, never from within this call. An address literal is its own answer.
 * NULL without memory (then on_done is not called). */
struct resolver_query *resolver_start(
	struct resolver *r, const char *name, resolver_on_done on_done, void *arg);
/* Of a query whose on_done is being called with status 0: seconds for which its answer holds. */
uint32_t resolver_ttl_s(const struct resolver_query *q);
/* Of such a query, too: the names that its name is an alias of, lower-case, each followed by a
 * newline; "" where there is none. The query's. */
const char *resolver_aliases(const struct resolver_query *q);
/* on_done will not be called. Not after it was. */
void resolver_cancel(struct resolver_query *q);
