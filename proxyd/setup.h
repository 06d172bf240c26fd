/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "proxyd/gateway.h"
#include "proxyd/own.h"

#define SETUP_PROXY_LEN (GATEWAY_HOST_LEN + 8)

/*
 * What a device is set up with (SPEC P2, P19). Each appends a whole file to `out`, whose `failed`
 * says whether that went well. They name the gateway by its address in the visitor's tunnel.
 */

/* The root certificate. */
void setup_ca_pem(const struct own_visit *v, struct buf *out);
void setup_ca_der(const struct own_visit *v, struct buf *out);
/* SHA-256 of the DER in hexadecimal digits and a newline. */
void setup_ca_sha256(const struct own_visit *v, struct buf *out);
/* Apple's configuration profile with the root certificate; its UUIDs come from the certificate, so
 * that a newer download takes the place of an older one. */
void setup_mobileconfig(const struct own_visit *v, struct buf *out);

/* Proxy auto-configuration: everything to the proxy but the gateway itself and, for devices that
 * may reach it, the local network. There is no way round when the proxy does not answer. */
void setup_pac(const struct own_visit *v, struct buf *out);

/*
 * Managed policies of browsers: the proxy, the root certificate, SafeSearch as the device has it,
 * no QUIC, no DNS of the browser's own, no Encrypted ClientHello.
 */
void setup_chrome_json(const struct own_visit *v, struct buf *out);
void setup_chrome_reg(const struct own_visit *v, struct buf *out);
void setup_chrome_plist(const struct own_visit *v, struct buf *out);
void setup_edge_json(const struct own_visit *v, struct buf *out);
void setup_edge_reg(const struct own_visit *v, struct buf *out);
void setup_edge_plist(const struct own_visit *v, struct buf *out);
void setup_firefox_json(const struct own_visit *v, struct buf *out);

/* Shared by these files. */

/* "10.9.0.1:8080". */
void setup_proxy_text(const struct own_visit *v, char out[static SETUP_PROXY_LEN]);
/* May the device reach the local network (SPEC F2)? Admins' own profiles count as not. */
bool setup_reaches_lan(const struct own_visit *v);
/* The head of an XML property list, up to its one value. */
void setup_append_plist_start(struct buf *out);
void setup_append_base64(struct buf *out, const void *data, size_t len);
