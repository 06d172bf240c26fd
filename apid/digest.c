/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/digest.h"

#include <errno.h>
#include <mbedtls/md.h>

int digest_sha256(const void *data, size_t len, uint8_t out[static DIGEST_LEN])
{
	const mbedtls_md_info_t *info = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);

	return info && !mbedtls_md(info, data, len, out) ? 0 : -EIO;
}

void digest_format(const uint8_t digest[static DIGEST_LEN], char out[static 2 * DIGEST_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_LEN; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * DIGEST_LEN] = '\0';
}
