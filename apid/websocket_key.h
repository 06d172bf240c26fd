/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

/* Sec-WebSocket-Accept for a key; false: it is none (RFC 6455 4.2.1). */
bool websocket_accept(const char *key, char out[static 32]);
