/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/qr.h"
#include "common/buf.h"

#include <qrencode.h>

enum { QUIET = 4 };

static void draw(struct buf *out, const QRcode *code)
{
	int size = code->width + 2 * QUIET;

	buf_printf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" "
		"shape-rendering=\"crispEdges\"><title>QR code</title>"
		"<path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path d=\"",
		size, size, size, size);
	for (int y = 0; y < code->width; y++) {
		const unsigned char *row = code->data + y * code->width;

		for (int x = 0; x < code->width; x++) {
			int run = 0;

			while (x + run < code->width && (row[x + run] & 1))
				run++;
			if (run)
				buf_printf(out, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, run, run);
			x += run;
		}
	}
	buf_append_str(out, "\"/></svg>");
}

char *qr_svg(const char *text)
{
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	struct buf out;
	size_t len;

	if (!code)
		return NULL;
	buf_init(&out, 1 << 20);
	draw(&out, code);
	QRcode_free(code);
	if (out.failed) {
		buf_fini(&out);
		return NULL;
	}
	return (char *)buf_release(&out, &len);
}
