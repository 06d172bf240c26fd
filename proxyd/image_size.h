/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The size of an image as a browser lays it out, from its first bytes. Pure. */
enum image_format {
	IMAGE_UNKNOWN,
	IMAGE_PNG,
	IMAGE_GIF,
	IMAGE_JPEG,
	IMAGE_WEBP,
	IMAGE_AVIF,
	IMAGE_BMP,
	IMAGE_ICO,
};

struct image_size {
	enum image_format format;
	uint32_t width, height; /* pixels, turned as EXIF or AVIF say */
};

/*
 * PNG (W3C PNG 11.2.2), GIF (89a 18), JPEG (T.81 B.2.2, EXIF orientation), WebP (RFC 9649), AVIF
 * (ISO 14496-12, 23008-12: the largest image in it), BMP, ICO (its first). 0; -EAGAIN: more bytes
 * are needed; -EPROTO: none of them, or without a size.
 */
int image_size_parse(const uint8_t *data, size_t len, struct image_size *out);
/* As many tell what it is. */
#define IMAGE_FORMAT_BYTES 12

/* Would a browser that is not told what the bytes are take them for an image (MIME Sniffing 6.1,
 * and what browsers know besides)? 0; -EAGAIN: more bytes are needed; -EPROTO: it would not. */
int image_format_scan(const uint8_t *data, size_t len);
