/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

/* Fills `out` from the kernel's generator; `arg` is ignored (the shape is mbedtls's f_rng). 0 or
 * negative. */
int random_bytes(void *arg, unsigned char *out, size_t len);
