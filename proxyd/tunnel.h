/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/* Two open streams joined byte for byte, each direction with back-pressure and half-close: CONNECT
 * that is not decrypted, WebSocket after 101. Takes both over, also on error. */
void tunnel_start(struct proxy *p, struct stream *client, struct stream *server);
/* Closes all of this proxy's (daemon stop). */
void tunnel_close_all(struct proxy *p);
