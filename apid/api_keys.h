/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/digest.h"

/* Keys of the provisioning API as the database has them: name and hash, never the key. */
struct api_key {
	char name[65];
	uint8_t hash[DIGEST_LEN];
};

struct api_keys {
	struct api_key *v;
	size_t n;
};

void api_keys_fini(struct api_keys *keys);
/* Adds a key. -ENOMEM, -EINVAL. */
int api_keys_add(struct api_keys *keys, const char *name, const void *hash, size_t hash_len);
/* Name of the key that text is, NULL when it is none. Takes as long whichever it is. */
const char *api_keys_find(const struct api_keys *keys, const char *text);
