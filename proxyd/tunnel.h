/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

enum tunnel_kind {
	TUNNEL_ANY,
	TUNNEL_TLS, /* closed unless the client's first byte begins a TLS handshake */
};

/* Two open streams joined byte for byte, each direction with back-pressure and half-close: CONNECT
 * that is not decrypted, WebSocket after 101. Takes both over, also on error. */
void tunnel_start(struct proxy *p, struct stream *client, struct stream *server,
	enum tunnel_kind kind);
/* Closes all of this proxy's (daemon stop). */
void tunnel_close_all(struct proxy *p);
