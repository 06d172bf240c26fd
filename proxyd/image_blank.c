/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/image_blank.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- PNG ---- */

static void append_be32(struct buf *b, uint32_t n)
{
	uint8_t bytes[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
		(uint8_t)n };

	buf_append(b, bytes, 4);
}

static void append_chunk(struct buf *b, const char *type, const void *data, size_t len)
{
	uLong crc = crc32(crc32(0, (const Bytef *)type, 4), data, (uInt)len);

	append_be32(b, (uint32_t)len);
	buf_append(b, type, 4);
	buf_append(b, data, len);
	append_be32(b, (uint32_t)crc);
}

/* Bits of deflate, the lowest first. */
struct bits {
	struct buf *b;
	uint32_t word;
	unsigned count;
};

static void put_bits(struct bits *o, uint32_t bits, unsigned count)
{
	o->word |= bits << o->count;
	for (o->count += count; o->count >= 8; o->count -= 8) {
		buf_append_byte(o->b, (uint8_t)o->word);
		o->word >>= 8;
	}
}

/*
 * So many zero bytes as zlib's data (RFC 1950, 1951) with fixed codes: one literal (8 bits,
 * 00110000), matches of 258 at distance 1 (code 285, 8 bits, 11000101, and 00000), the rest as
 * literals. Codes go out with their highest bit first.
 */
static void append_zeros(struct buf *b, uint64_t count)
{
	struct bits o = { .b = b };
	uint32_t sum = (uint32_t)(count % 65521) << 16 | 1;

	buf_append(b, "\x78\x01", 2);
	put_bits(&o, 3, 3); /* the last block, fixed codes */
	put_bits(&o, 0x0c, 8);
	for (count--; count >= 258; count -= 258)
		put_bits(&o, 0xa3, 13);
	for (; count; count--)
		put_bits(&o, 0x0c, 8);
	put_bits(&o, 0, 7); /* the end */
	if (o.count)
		put_bits(&o, 0, 8 - o.count);
	append_be32(b, sum);
}

int image_blank_png(struct buf *b, uint32_t width, uint32_t height)
{
	static const uint8_t black[3], clear[1];
	struct buf header, data;
	int err;

	if (width > IMAGE_BLANK_SIDE_MAX || height > IMAGE_BLANK_SIDE_MAX ||
		(uint64_t)width * height > IMAGE_BLANK_AREA_MAX)
		width = height = 1;
	buf_init(&header, 0);
	buf_init(&data, 0);
	append_be32(&header, width);
	append_be32(&header, height);
	buf_append(&header, "\1\3\0\0\0", 5); /* one bit, by palette */
	append_zeros(&data, (1 + ((uint64_t)width + 7) / 8) * height);
	err = header.failed ? header.failed : data.failed;
	if (!err) {
		buf_append(b, "\x89PNG\r\n\x1a\n", 8);
		append_chunk(b, "IHDR", header.data, header.len);
		append_chunk(b, "PLTE", black, sizeof(black));
		append_chunk(b, "tRNS", clear, sizeof(clear));
		append_chunk(b, "IDAT", data.data, data.len);
		append_chunk(b, "IEND", "", 0);
	}
	buf_fini(&header);
	buf_fini(&data);
	return err ? err : b->failed;
}

/* ---- SVG ---- */

/* Only what lengths and view boxes are made of. */
static void append_attribute(struct buf *b, const struct html_tag *root, const char *name)
{
	char *value = html_tag_get(root, name);

	if (value && strlen(value) < 200 &&
		!value[strspn(value,
			"0123456789.,+- %abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")])
		buf_printf(b, " %s=\"%s\"", name, value);
	free(value);
}

int image_blank_svg(struct buf *b, const struct html_tag *root)
{
	static const char *const names[] = { "width", "height", "viewBox", "preserveAspectRatio" };

	buf_append_str(b, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		append_attribute(b, root, names[i]);
	return buf_append_str(b, "/>");
}
