/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"

/*
 * The handshake of WebSocket over HTTP/1.1 (RFC 6455 section 4), made for a client of HTTP/2, whose
 * own has no keys (RFC 8441 section 5).
 */

#define WEBSOCKET_KEY_LEN 25 /* with the NUL */

/* A fresh key, in the head. 0 or -errno. */
int websocket_add_key(struct http_head *h, char key[static WEBSOCKET_KEY_LEN]);
/* Does the answer's head accept that key? */
bool websocket_is_accepted(const struct http_head *h, const char *key);
