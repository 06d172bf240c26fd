/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Time-based one-time passwords (RFC 6238): SHA-1, 6 digits, steps of 30 s. Pure. */
enum { TOTP_SECRET_LEN = 20, TOTP_DIGITS = 6, TOTP_STEP_S = 30 };
#define TOTP_BASE32_LEN 32 /* of a secret */

/* The code of one step. 0 or -EIO. */
int totp_code(const uint8_t secret[static TOTP_SECRET_LEN], int64_t step, char out[static 7]);
/*
 * Is text the code of the step of now, the one before or the one after, and later than last_step?
 * *step is its step then. 0; -EINVAL no such code; -EALREADY the code of a step that was used.
 */
int totp_check(const uint8_t secret[static TOTP_SECRET_LEN], const char *text, int64_t now_ms,
	int64_t last_step, int64_t *step);
void totp_base32(
	const uint8_t secret[static TOTP_SECRET_LEN], char out[static TOTP_BASE32_LEN + 1]);
