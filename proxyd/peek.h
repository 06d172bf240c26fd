/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/*
 * Intercepted TLS (SPEC P3). The hello is read and judged; its name is proven by connecting to
 * where that name leads, to the original destination only if it is among the answers; then bytes
 * flow undecrypted. Nothing more of the client's is sent on before the server has answered with
 * something else than a HelloRetryRequest: after one, the second hello must have the first one's
 * name. What is blocked, or no hello, is reset.
 */

/* Takes over a socket that was redirected from port 443. */
void peek_accept(struct proxy *p, int fd, const struct addr *device);
/* Closes all of this proxy's (daemon stop). */
void peek_close_all(struct proxy *p);
