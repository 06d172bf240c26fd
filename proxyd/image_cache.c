/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/image_cache.h"
#include "proxyd/image_blank.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* They never change: one end for all, and a time before it. */
#define NOW   0
#define UNTIL 1

struct image {
	size_t len;
	uint8_t png[];
};

void image_cache_init(struct image_cache *c, size_t max)
{
	c->found = 0;
	lru_init(&c->images, max, free);
}

void image_cache_fini(struct image_cache *c)
{
	lru_fini(&c->images);
}

/* Without memory the next one is made anew. */
static void keep(struct image_cache *c, const char *key, const uint8_t *png, size_t len)
{
	struct image *image = len <= IMAGE_CACHED_MAX ? malloc(sizeof(*image) + len) : NULL;

	if (!image)
		return;
	image->len = len;
	memcpy(image->png, png, len);
	(void)lru_set(&c->images, key, image, UNTIL);
}

int image_cache_png(struct image_cache *c, uint32_t width, uint32_t height, struct buf *out)
{
	const struct image *image;
	size_t from = out->len;
	char key[24];
	int err;

	snprintf(key, sizeof(key), "%" PRIu32 "x%" PRIu32, width, height);
	image = lru_find(&c->images, key, NOW);
	if (image) {
		c->found++;
		return buf_append(out, image->png, image->len);
	}
	err = image_blank_png(out, width, height);
	if (!err && c->images.max)
		keep(c, key, out->data + from, out->len - from);
	return err;
}
