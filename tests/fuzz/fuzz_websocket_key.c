/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/websocket_key.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is taken is 24 characters of base64, and is answered with 28. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *key = malloc(len + 1), accept[32];

	if (!key)
		return 0;
	memcpy(key, data, len);
	key[len] = '\0';
	if (websocket_accept(key, accept))
		assert(strlen(key) == 24 && key[22] == '=' && key[23] == '=' &&
			strlen(accept) == 28);
	free(key);
	return 0;
}
