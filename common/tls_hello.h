/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * mbedtls wants a ClientHello in one record, and clients may send it in many (RFC 8446 5.1). Puts
 * the records at the start of `data` that hold the first handshake message into one, in place; what
 * follows stays, and `len` shrinks. 0: so it is, or this is nothing of the kind or too large for a
 * record, and the library is to judge. -EAGAIN: more must come first.
 */
int tls_hello_join(uint8_t *data, size_t *len);
