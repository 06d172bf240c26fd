/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 32

/* SHA-256. 0 or -EIO. */
int digest_sha256(const void *data, size_t len, uint8_t out[static DIGEST_LEN]);
void digest_format(const uint8_t digest[static DIGEST_LEN], char out[static 2 * DIGEST_LEN + 1]);
