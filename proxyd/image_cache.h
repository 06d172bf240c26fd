/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "common/lru.h"

/* Transparent PNGs that were made before, by their size, for the next image of the same one. */
struct image_cache {
	struct lru images;
	uint64_t found;
};

/* max: how many; 0: none are kept. Those above IMAGE_CACHED_MAX bytes never are. */
#define IMAGE_CACHED_MAX (16u << 10)
void image_cache_init(struct image_cache *c, size_t max);
void image_cache_fini(struct image_cache *c);
/* As image_blank_png. */
int image_cache_png(struct image_cache *c, uint32_t width, uint32_t height, struct buf *out);
