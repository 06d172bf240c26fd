/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/load.h"
#include "proxyd/proxy.h"

/* Under which it was let through, and is judged again when policy changes (SPEC F9). Copied. */
struct tunnel_terms {
	struct addr device;
	enum policy_path path;
	const char *host;
	uint16_t port;
	bool is_https;
	struct access access; /* taken over */
	const char *rest;  /* path and query of an upgrade; NULL: CONNECT, which is not decrypted */
	uint64_t leads_to; /* stand_in_tag of the host of CONNECT */
	const char *page;  /* host of the page whose part it is; NULL: none */
};

/* Two open streams joined byte for byte, each direction with back-pressure and half-close: CONNECT
 * that is not decrypted, WebSocket after 101. Takes both over, also on error. With tls_host the
 * client must begin with a TLS hello for that name, or without a name; nothing else passes, and
 * nothing more before the server has answered it: the hello after a HelloRetryRequest is held to
 * the same (SPEC P3). load, the device's place of the client's connection, is taken over too. */
void tunnel_start(struct proxy *p, struct stream *client, struct stream *server,
	const char *tls_host, const struct tunnel_terms *terms, struct load *load);
/* Closes all of this proxy's (daemon stop). */
void tunnel_close_all(struct proxy *p);
