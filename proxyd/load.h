/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/* Connections that one device has open, and requests that are under way to web servers, each over a
 * connection of its own whatever the device's are (a hundred of HTTP/2 come over one), so that it
 * cannot use up those of all. */
#define LOAD_MAX	  512
#define LOAD_REQUESTS_MAX 1024

struct load;

/* One more connection of that device; NULL when it has LOAD_MAX already, or without memory. */
struct load *load_take(struct proxy *p, const struct addr *device);
/* The connection is closed. */
void load_release(struct proxy *p, struct load *l);
/* One more request, while its device has a connection; NULL when it has LOAD_REQUESTS_MAX already.
 */
struct load *load_take_request(struct load *l);
/* It is over; may be later than the connection's end. */
void load_release_request(struct proxy *p, struct load *l);
