/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/* What proxyd takes from the bus: devices, policy; and what it tells: its counters. 0 or -errno. */
int proxy_bus_open(struct proxy *p);
void proxy_bus_close(struct proxy *p);
