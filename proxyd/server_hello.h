/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A ServerHello, with its record headers, is refused above this. */
#define SERVER_HELLO_MAX 8192

/* Pure: do the server's first bytes ask the client for another hello (HelloRetryRequest, RFC 8446
 * 4.1.4)? Whatever else it says, an alert too, is no retry. 0; -EAGAIN: needs more; -EPROTO: no
 * TLS, malformed or too large. */
int server_hello_parse(const uint8_t *data, size_t len, bool *is_retry);

/* Of the first SERVER_HELLO_HEAD bytes of a stream: a record with a ServerHello begins there; and
 * its random number is a HelloRetryRequest's. */
#define SERVER_HELLO_HEAD 43
bool server_hello_is_start(const uint8_t head[static SERVER_HELLO_HEAD]);
bool server_hello_is_retry(const uint8_t head[static SERVER_HELLO_HEAD]);
