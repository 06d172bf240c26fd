/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "proxyd/html_tag.h"

/* Larger ones, which no browser shows anyway, are answered with the smallest. */
#define IMAGE_BLANK_SIDE_MAX 32767
#define IMAGE_BLANK_AREA_MAX (256u << 20)

/* Appends a transparent PNG of that size, in microseconds whatever the size is. -ENOMEM. */
int image_blank_png(struct buf *b, uint32_t width, uint32_t height);
/* Appends an empty SVG with the size that the root tag (kept) gives its own. */
int image_blank_svg(struct buf *b, const struct html_tag *root);
