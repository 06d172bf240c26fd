/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images in the place of which blank ones go out: the first byte says whether it is SVG, XML, or
 * has no type, the second how the rest is cut. More bytes never take a size back, and what goes out
 * is an image, or of a kind that is looked at, no image, and as it came in. */
#include "proxyd/image_size.h"
#include "proxyd/image_stage.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int on_sink(void *arg, const void *data, size_t len)
{
	return buf_append(arg, data, len);
}

static void check_sizes(const uint8_t *data, size_t len)
{
	struct image_size before, size;
	int err = -EAGAIN;

	for (size_t n = 0; n <= len; n += 1 + n / 8) {
		/* Of its own, so that a byte too many is seen. */
		uint8_t *copy = malloc(n + 1);
		int now;

		memcpy(copy, data, n);
		now = image_size_parse(copy, n, &size);
		free(copy);
		assert(now != 0 || (size.width && size.height && size.format != IMAGE_UNKNOWN));
		assert(err == -EAGAIN ||
			(err == now && (err || !memcmp(&before, &size, sizeof(size)))));
		err = now;
		before = size;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct image_options opt = {
		.is_svg = len && (data[0] & 3) == 1,
		.is_untyped = len && data[0] & 2,
		.is_xml = len && (data[0] & 6) == 4,
		.limit = 4096,
	};
	struct buf out;
	const struct body_sink sink = { on_sink, NULL, &out };
	struct body_chain c;
	size_t piece;

	if (len < 2)
		return 0;
	piece = data[1] ? data[1] : len;
	data += 2;
	len -= 2;
	check_sizes(data, len < 5000 ? len : 5000);
	buf_init(&out, 0);
	body_chain_init(&c, &sink);
	if (body_chain_add(&c, image_stage_new(&opt)))
		abort();
	for (size_t at = 0; at < len; at += piece)
		assert(!body_chain_write(&c, data + at, len - at < piece ? len - at : piece));
	assert(!body_chain_end(&c));
	if (opt.is_xml || (opt.is_untyped && image_format_scan(data, len)))
		assert((out.len == len && (!len || !memcmp(out.data, data, len))) ||
			(out.len > 21 + 8 &&
				!memcmp(out.data, "<?xml version=\"1.0\"?><svg xml", 29)));
	else
		assert(out.len > 8 &&
			!memcmp(out.data, opt.is_svg ? "<svg xml" : "\x89PNG\r\n\x1a\n", 8));
	body_chain_fini(&c);
	buf_fini(&out);
	return 0;
}
