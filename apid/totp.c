/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/totp.h"

#include <errno.h>
#include <mbedtls/md.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int totp_code(const uint8_t secret[static TOTP_SECRET_LEN], int64_t step, char out[static 7])
{
	const mbedtls_md_info_t *sha1 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA1);
	uint8_t counter[8], sum[20];
	uint32_t value;
	int at;

	for (int i = 0; i < 8; i++)
		counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
	if (!sha1 || mbedtls_md_hmac(sha1, secret, TOTP_SECRET_LEN, counter, sizeof(counter), sum))
		return -EIO;
	at = sum[19] & 15;
	value = (uint32_t)(sum[at] & 0x7f) << 24 | (uint32_t)sum[at + 1] << 16 |
		(uint32_t)sum[at + 2] << 8 | sum[at + 3];
	snprintf(out, 7, "%06u", (unsigned)(value % 1000000));
	return 0;
}

static bool is_equal(const char *a, const char *b)
{
	unsigned sum = 0;

	for (int i = 0; i < TOTP_DIGITS; i++)
		sum |= (unsigned)(a[i] ^ b[i]);
	return !sum;
}

int totp_check(const uint8_t secret[static TOTP_SECRET_LEN], const char *text, int64_t now_ms,
	int64_t last_step, int64_t *step)
{
	int64_t now = now_ms / 1000 / TOTP_STEP_S;
	bool is_used = false;

	if (strlen(text) != TOTP_DIGITS)
		return -EINVAL;
	for (int64_t s = now - 1; s <= now + 1; s++) {
		char code[7];
		int err = totp_code(secret, s, code);

		if (err)
			return err;
		if (!is_equal(code, text))
			continue;
		if (s > last_step) {
			*step = s;
			return 0;
		}
		is_used = true;
	}
	return is_used ? -EALREADY : -EINVAL;
}

void totp_base32(const uint8_t secret[static TOTP_SECRET_LEN], char out[static TOTP_BASE32_LEN + 1])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint32_t bits = 0;
	unsigned n = 0;

	for (size_t i = 0; i < TOTP_SECRET_LEN; i++) {
		bits = bits << 8 | secret[i];
		for (n += 8; n >= 5; n -= 5)
			*out++ = alphabet[bits >> (n - 5) & 31];
	}
	*out = '\0';
}
