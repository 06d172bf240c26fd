/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_decode.h"
#include <errno.h>
#include <stdbool.h>
#include <strings.h>
#include <zlib.h>

#define STEP	    (64u << 10)
#define WINDOW_ANY  (15 + 32) /* gzip or zlib, by the header */
#define WINDOW_BARE (-15)

/* One member: 0 at its end. */
static int inflate_member(z_stream *z, struct buf *out)
{
	int ret;

	do {
		int err = buf_reserve(out, STEP);

		if (err)
			return err == -ENOSPC ? -EFBIG : err;
		z->next_out = out->data + out->len;
		z->avail_out = STEP;
		ret = inflate(z, Z_NO_FLUSH);
		out->len += STEP - z->avail_out;
	} while (ret == Z_OK);
	return ret == Z_STREAM_END ? 0 : ret == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static int inflate_all(const void *data, size_t len, int window, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len };
	int err = len > UINT32_MAX ? -EFBIG : 0;

	if (err || inflateInit2(&z, window) != Z_OK)
		return err ? err : -ENOMEM;
	err = inflate_member(&z, out);
	/* gzip may have further members; nothing else may follow. */
	while (!err && z.avail_in) {
		err = window == WINDOW_ANY && inflateReset(&z) == Z_OK ? inflate_member(&z, out)
								       : -EBADMSG;
	}
	inflateEnd(&z);
	return err ? err : buf_append(out, "", 0);
}

int list_decode(const char *coding, const void *data, size_t len, struct buf *out)
{
	const uint8_t *bytes = data;
	bool bare;

	if (!coding || !strcasecmp(coding, "identity")) {
		int err = buf_append(out, data, len);

		return err == -ENOSPC ? -EFBIG : err;
	}
	if (!strcasecmp(coding, "gzip") || !strcasecmp(coding, "x-gzip"))
		return inflate_all(data, len, WINDOW_ANY, out);
	if (strcasecmp(coding, "deflate"))
		return -EPROTO;
	/* zlib's form is meant, the bare one is met. */
	bare = len < 2 || (bytes[0] & 15) != 8 || (bytes[0] * 256 + bytes[1]) % 31;
	return inflate_all(data, len, bare ? WINDOW_BARE : WINDOW_ANY, out);
}
