/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/* Connections that one device has open, so that it cannot use up those of all. */
#define LOAD_MAX 512

struct load;

/* One more connection of that device; NULL when it has LOAD_MAX already, or without memory. */
struct load *load_take(struct proxy *p, const struct addr *device);
/* The connection is closed. */
void load_release(struct proxy *p, struct load *l);
