/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/*
 * The gateway's own web server on its tunnel addresses (ports 80 and 443; SPEC F5, P8, P19), for
 * devices only: an address that is no device's is hung up on. Over TLS its certificate is for the
 * name or address that was asked for.
 */
int portal_open(struct proxy *p);
/* Ends all connections (daemon stop). */
void portal_close(struct proxy *p);
void portal_fini(struct proxy *p);
/* Take an accepted socket over. */
void portal_accept_http(struct proxy *p, int fd, const struct addr *device);
void portal_accept_https(struct proxy *p, int fd, const struct addr *device);
