/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 (Aumasson, Bernstein), 64-bit result. */
uint64_t siphash13(const uint8_t key[static 16], const void *data, size_t len);
