/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/* Two open streams joined byte for byte, each direction with back-pressure and half-close: CONNECT
 * that is not decrypted, WebSocket after 101. Takes both over, also on error. With tls_host the
 * client must begin with a TLS hello for that name, or without a name; nothing else passes. */
void tunnel_start(
	struct proxy *p, struct stream *client, struct stream *server, const char *tls_host);
/* Closes all of this proxy's (daemon stop). */
void tunnel_close_all(struct proxy *p);
