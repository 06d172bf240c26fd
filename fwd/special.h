/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/range.h"

/* Addresses that are no ordinary destinations. Each adds to r what is of its family; -ENOMEM. */

/* Where proxyd's user never connects, besides the gateway's own addresses (F14). */
int special_add_guarded(struct ranges *r);
/* IPv6 forms of IPv4 addresses that devices may not use (F2): mapped, SIIT, 6to4, Teredo, NAT64
 * with a prefix of its own, and NAT64 (64:ff9b::/96) of private and local addresses. */
int special_add_embedded(struct ranges *r);
/* The NAT64 form of an IPv4 prefix, 64:ff9b::/96. */
struct prefix special_nat64(const struct prefix *p);
