/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/api_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void api_keys_fini(struct api_keys *keys)
{
	free(keys->v);
	*keys = (struct api_keys){ 0 };
}

int api_keys_add(struct api_keys *keys, const char *name, const void *hash, size_t hash_len)
{
	struct api_key *more;

	if (hash_len != DIGEST_LEN || strlen(name) >= sizeof(more->name))
		return -EINVAL;
	more = realloc(keys->v, (keys->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	keys->v = more;
	more += keys->n++;
	strcpy(more->name, name);
	memcpy(more->hash, hash, DIGEST_LEN);
	return 0;
}

static unsigned difference(const uint8_t *a, const uint8_t *b)
{
	unsigned sum = 0;

	for (size_t i = 0; i < DIGEST_LEN; i++)
		sum |= a[i] ^ b[i];
	return sum;
}

const char *api_keys_find(const struct api_keys *keys, const char *text)
{
	const char *name = NULL;
	uint8_t hash[DIGEST_LEN];

	if (digest_sha256(text, strlen(text), hash))
		return NULL;
	for (size_t i = 0; i < keys->n; i++) {
		if (!difference(keys->v[i].hash, hash))
			name = keys->v[i].name;
	}
	return name;
}
