/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

/* Addresses that serve DNS over HTTPS and nothing else (F4). Shared addresses of content networks
 * are left to names (dnsd, SNI). */
extern const char *const doh_addresses[];
extern const size_t doh_address_count;
