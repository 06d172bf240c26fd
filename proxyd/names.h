/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/resolver.h"

/*
 * What dnsd has answered to the gateway itself, kept as long as it holds, so that a connection
 * costs no question: the answers know no device and no list. Who asks for a name that is being
 * asked waits for the same answer. Of more than max names the one that nobody wanted longest goes.
 */
struct names;
struct names_query;

/* NULL without memory. */
struct names *names_open(uv_loop_t *loop, struct resolver *resolver, size_t max);
/* Before the resolver is closed. Running queries end with -ECANCELED; frees itself in the last
 * close callback. */
void names_close(struct names *n);
/* As resolver_start: always answers from the loop. NULL without memory. */
struct names_query *names_start(
	struct names *n, const char *name, resolver_on_done on_done, void *arg);
/* What is known already: false when it would have to be asked. Addresses are the cache's, until the
 * loop's next turn. */
bool names_get(
	struct names *n, const char *name, int *status, const struct addr **addrs, size_t *count);
/* The names that this one is an alias of as it was answered last, each followed by a newline; ""
 * where nothing is known. The cache's, until the loop's next turn. */
const char *names_aliases(const struct names *n, const char *name);
/* Was it answered, and is that remembered? */
bool names_knows(const struct names *n, const char *name);
/* on_done will not be called. Not after it was. */
void names_cancel(struct names_query *q);
