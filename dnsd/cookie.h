/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "dnsd/message.h"

/* Adds the server's half to a client's cookie (RFC 7873; its form as in RFC 9018 4, under a secret
 * of this process: nobody else needs to check it). */
void cookie_add(const uint8_t secret[static 16], const struct addr *client,
	uint8_t cookie[static COOKIE_LEN]);
