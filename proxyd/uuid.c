/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/uuid.h"
#include <stdio.h>
#include <string.h>

void uuid_format(const uint8_t digest[static 16], char out[static UUID_LEN])
{
	uint8_t uuid[16];
	size_t at = 0;

	memcpy(uuid, digest, sizeof(uuid));
	uuid[6] = 0x80 | (uuid[6] & 0x0f);
	uuid[8] = 0x80 | (uuid[8] & 0x3f);
	for (size_t i = 0; i < sizeof(uuid); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[at++] = '-';
		snprintf(out + at, 3, "%02x", uuid[i]);
		at += 2;
	}
}
