/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

#define UUID_LEN 37

/* The UUID of version 8 (RFC 9562 section 5.8) of 16 bytes of a digest, in lower case. */
void uuid_format(const uint8_t digest[static 16], char out[static UUID_LEN]);
