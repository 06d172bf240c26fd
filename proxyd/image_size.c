/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/image_size.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

static uint32_t le16(const uint8_t *p)
{
	return (uint32_t)p[1] << 8 | p[0];
}

static uint32_t le24(const uint8_t *p)
{
	return (uint32_t)p[2] << 16 | le16(p);
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p + 2) << 16 | le16(p);
}

static int set(struct image_size *out, enum image_format format, uint32_t width, uint32_t height)
{
	*out = (struct image_size){ format, width, height };
	return width && height ? 0 : -EPROTO;
}

/* ---- with the size at a fixed place ---- */

static int parse_png(const uint8_t *p, size_t len, struct image_size *out)
{
	if (len < 24)
		return -EAGAIN;
	if (memcmp(p + 12, "IHDR", 4) != 0)
		return -EPROTO;
	return set(out, IMAGE_PNG, be32(p + 16), be32(p + 20));
}

static int parse_gif(const uint8_t *p, size_t len, struct image_size *out)
{
	return len < 10 ? -EAGAIN : set(out, IMAGE_GIF, le16(p + 6), le16(p + 8));
}

static int parse_bmp(const uint8_t *p, size_t len, struct image_size *out)
{
	int64_t height;

	if (len < 26)
		return -EAGAIN;
	if (le32(p + 14) == 12) /* OS/2 */
		return set(out, IMAGE_BMP, le16(p + 18), le16(p + 20));
	/* Lines from above have a negative height. */
	height = (int32_t)le32(p + 22);
	return set(out, IMAGE_BMP, le32(p + 18) & 0x7fffffff,
		(uint32_t)(height < 0 ? -height : height));
}

static int parse_ico(const uint8_t *p, size_t len, struct image_size *out)
{
	if (len < 8)
		return -EAGAIN;
	return set(out, IMAGE_ICO, p[6] ? p[6] : 256, p[7] ? p[7] : 256);
}

static int parse_webp(const uint8_t *p, size_t len, struct image_size *out)
{
	uint32_t bits;

	if (len < 30)
		return -EAGAIN;
	if (!memcmp(p + 12, "VP8X", 4))
		return set(out, IMAGE_WEBP, le24(p + 24) + 1, le24(p + 27) + 1);
	if (!memcmp(p + 12, "VP8L", 4) && p[20] == 0x2f) {
		bits = le32(p + 21);
		return set(out, IMAGE_WEBP, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
	}
	if (!memcmp(p + 12, "VP8 ", 4) && !memcmp(p + 23, "\x9d\x01\x2a", 3))
		return set(out, IMAGE_WEBP, le16(p + 26) & 0x3fff, le16(p + 28) & 0x3fff);
	return -EPROTO;
}

/* ---- JPEG ---- */

/* Orientations 5 to 8 lie on their side. p: a TIFF header. */
static bool is_turned(const uint8_t *p, size_t len)
{
	bool is_big = len >= 8 && p[0] == 'M';
	size_t at, count;

	if (len < 8 || (memcmp(p, "MM\0*", 4) != 0 && memcmp(p, "II*\0", 4) != 0))
		return false;
	at = is_big ? be32(p + 4) : le32(p + 4);
	if (at > len - 2)
		return false;
	count = is_big ? be16(p + at) : le16(p + at);
	for (at += 2; count && at + 12 <= len; count--, at += 12) {
		uint32_t tag = is_big ? be16(p + at) : le16(p + at);
		uint32_t value = is_big ? be16(p + at + 8) : le16(p + at + 8);

		if (tag == 0x112)
			return value >= 5 && value <= 8;
	}
	return false;
}

static bool is_frame_header(uint8_t marker)
{
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
	       marker != 0xcc;
}

static int parse_jpeg(const uint8_t *p, size_t len, struct image_size *out)
{
	bool turned = false;
	size_t at = 2;

	while (at + 4 <= len) {
		uint8_t marker = p[at + 1];
		size_t size = be16(p + at + 2);

		if (p[at] != 0xff)
			return -EPROTO;
		if (marker == 0xff || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
			at += marker == 0xff ? 1 : 2; /* filling; markers without a segment */
			continue;
		}
		if (size < 2 || marker == 0xd9 || marker == 0xda)
			return -EPROTO;
		if (is_frame_header(marker)) {
			if (at + 9 > len)
				return -EAGAIN;
			return turned ? set(out, IMAGE_JPEG, be16(p + at + 5), be16(p + at + 7))
				      : set(out, IMAGE_JPEG, be16(p + at + 7), be16(p + at + 5));
		}
		if (marker == 0xe1 && at + 2 + size > len)
			return -EAGAIN;
		if (marker == 0xe1 && size > 8 && !memcmp(p + at + 4, "Exif\0\0", 6))
			turned = is_turned(p + at + 10, size - 8);
		at += 2 + size;
	}
	return -EAGAIN;
}

/* ---- AVIF ---- */

struct boxes {
	uint64_t area;
	bool turned;
};

/* What is inside `meta`: iprp, in it ipco, in it ispe and irot. */
static void read_boxes(
	const uint8_t *p, size_t len, int depth, struct boxes *b, struct image_size *out)
{
	for (size_t at = 0; at + 8 <= len;) {
		size_t size = be32(p + at), end = at + size;
		const uint8_t *type = p + at + 4, *body = p + at + 8;

		if (size < 8 || size > len - at)
			return;
		if (depth < 2 && !memcmp(type, depth ? "ipco" : "iprp", 4)) {
			read_boxes(body, size - 8, depth + 1, b, out);
		} else if (depth == 2 && !memcmp(type, "ispe", 4) && size >= 20) {
			uint64_t area = (uint64_t)be32(body + 4) * be32(body + 8);

			if (area > b->area)
				set(out, IMAGE_AVIF, be32(body + 4), be32(body + 8));
			b->area = area > b->area ? area : b->area;
		} else if (depth == 2 && !memcmp(type, "irot", 4) && size >= 9) {
			b->turned = body[0] & 1;
		}
		at = end;
	}
}

static int parse_avif(const uint8_t *p, size_t len, struct image_size *out)
{
	struct boxes b = { 0 };

	for (size_t at = 0; at + 8 <= len;) {
		size_t size = be32(p + at);

		if (size < 8)
			return -EPROTO;
		if (memcmp(p + at + 4, "meta", 4) != 0) {
			at += size;
			continue;
		}
		if (size > len - at)
			return -EAGAIN;
		if (size >= 12)
			read_boxes(p + at + 12, size - 12, 0, &b, out);
		if (!b.area)
			return -EPROTO;
		return b.turned ? set(out, IMAGE_AVIF, out->height, out->width) : 0;
	}
	return -EAGAIN;
}

/* ---- all ---- */

struct format {
	const char *magic;
	size_t at, len;
	int (*parse)(const uint8_t *data, size_t len, struct image_size *out); /* NULL: sizeless */
};

/* Needs IMAGE_FORMAT_BYTES. NULL: none of them. */
static const struct format *find_format(const uint8_t *data)
{
	static const struct format formats[] = {
		{ "\x89PNG\r\n\x1a\n", 0, 8, parse_png },
		{ "GIF8", 0, 4, parse_gif },
		{ "\xff\xd8\xff", 0, 3, parse_jpeg },
		{ "WEBP", 8, 4, parse_webp },
		{ "ftypavif", 4, 8, parse_avif },
		{ "ftypavis", 4, 8, parse_avif },
		{ "ftypmif1", 4, 8, parse_avif },
		{ "BM", 0, 2, parse_bmp },
		{ "\0\0\1\0", 0, 4, parse_ico },
		{ "\0\0\2\0", 0, 4, parse_ico }, /* a cursor */
		{ "ftypheic", 4, 8, parse_avif },
		{ "ftypheix", 4, 8, parse_avif },
		{ "ftyphevc", 4, 8, parse_avif },
		{ "ftypmsf1", 4, 8, parse_avif },
		{ "\xff\x0a", 0, 2, NULL }, /* JPEG XL */
		{ "JXL \r\n\x87\n", 4, 8, NULL },
		{ "II*\0", 0, 4, NULL }, /* TIFF */
		{ "MM\0*", 0, 4, NULL },
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		if (!memcmp(data + formats[i].at, formats[i].magic, formats[i].len))
			return &formats[i];
	}
	return NULL;
}

int image_size_parse(const uint8_t *data, size_t len, struct image_size *out)
{
	const struct format *format;

	*out = (struct image_size){ 0 };
	if (len < IMAGE_FORMAT_BYTES)
		return -EAGAIN;
	format = find_format(data);
	return format && format->parse ? format->parse(data, len, out) : -EPROTO;
}

int image_format_scan(const uint8_t *data, size_t len)
{
	if (len < IMAGE_FORMAT_BYTES)
		return -EAGAIN;
	return find_format(data) ? 0 : -EPROTO;
}
