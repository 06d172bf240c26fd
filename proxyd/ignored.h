/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/*
 * Addresses of the names that are not decrypted (topic mitm_ignore), for apps that CONNECT to an
 * address that they have resolved themselves (SPEC P13; K's MITM_IGNORE_RESOLVE). dnsd is asked for
 * the names, and again when its answers end; while it does not answer, an address holds for an
 * hour. Of the names that are more than IGNORED_MAX the rest is not asked for.
 *
 * An address opens nothing: what it may have is asked of the policy as ever, it passes undecrypted
 * for those alone who may reach the name, and not where rules or lists have paths of it. A TLS
 * hello for another name than the address is refused (tunnel.h).
 */
enum { IGNORED_MAX = 1024 };

struct ignored;

/* NULL without memory. Before the names' close. */
struct ignored *ignored_open(struct proxy *p);
/* Frees itself in its last close callback. */
void ignored_close(struct ignored *ig);
/* The policy has changed. */
void ignored_renew(struct ignored *ig);
/* Addresses that are known now. */
size_t ignored_count(const struct ignored *ig);
/* Is host an address, and one of a name's that is not decrypted for that device? v NULL: no. */
bool ignored_has(struct proxy *p, struct device_view *v, const char *host);
