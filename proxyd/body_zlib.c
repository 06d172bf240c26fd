/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/body_coder.h"
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#define WINDOW_GZIP (15 + 16)
#define WINDOW_ZLIB 15
#define WINDOW_BARE (-15)
#define LEVEL	    1
#define MEM_LEVEL   8

struct zlib_coder {
	struct coder coder;
	z_stream z;
	enum body_coding coding;
	bool is_open;	  /* z is */
	bool in_member;	  /* decoder: not between members of gzip */
	uint8_t first[2]; /* deflate: the bytes that tell the form */
	size_t first_len;
};

static int run_inflate(struct zlib_coder *c, const uint8_t **in, size_t *in_len)
{
	int ret;

	c->z.next_in = (Bytef *)(uintptr_t)*in;
	c->z.avail_in = (uInt)(*in_len > UINT32_MAX ? UINT32_MAX : *in_len);
	c->z.next_out = c->coder.out + c->coder.len;
	c->z.avail_out = (uInt)(CODER_OUT - c->coder.len);
	*in_len -= c->z.avail_in;
	ret = inflate(&c->z, Z_NO_FLUSH);
	*in_len += c->z.avail_in;
	*in = c->z.next_in;
	c->coder.len = CODER_OUT - c->z.avail_out;
	switch (ret) {
	case Z_STREAM_END:
		return CODER_DONE;
	case Z_OK:
	case Z_BUF_ERROR: /* no input, or no room: neither is wrong */
		return CODER_MORE;
	case Z_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

/* Further members follow the first or, as padding, something that is none. */
static int step_gzip(struct coder *coder, const uint8_t **in, size_t *in_len, enum coder_flush f)
{
	struct zlib_coder *c = (struct zlib_coder *)coder;
	int ret;

	(void)f;
	if (!c->in_member && *in_len) {
		if (coder->taken && **in != 0x1f)
			return CODER_DONE;
		inflateReset(&c->z);
		c->in_member = true;
		coder->is_whole = false;
	}
	if (!c->in_member)
		return CODER_MORE;
	ret = run_inflate(c, in, in_len);
	if (ret != CODER_DONE)
		return ret;
	c->in_member = false;
	coder->is_whole = true;
	return CODER_MORE;
}

/* zlib's form is meant, the bare one is met. */
static int open_deflate(struct zlib_coder *c, const uint8_t **in, size_t *in_len)
{
	const uint8_t *first = c->first;
	size_t len = 2;
	bool bare;

	while (c->first_len < 2 && *in_len) {
		c->first[c->first_len++] = *(*in)++;
		--*in_len;
	}
	if (c->first_len < 2)
		return CODER_MORE;
	bare = (first[0] & 15) != 8 || (first[0] * 256 + first[1]) % 31;
	if (inflateInit2(&c->z, bare ? WINDOW_BARE : WINDOW_ZLIB) != Z_OK)
		return -ENOMEM;
	c->is_open = true;
	return run_inflate(c, &first, &len);
}

static int step_deflate(struct coder *coder, const uint8_t **in, size_t *in_len, enum coder_flush f)
{
	struct zlib_coder *c = (struct zlib_coder *)coder;

	(void)f;
	return c->is_open ? run_inflate(c, in, in_len) : open_deflate(c, in, in_len);
}

static int step_encode(
	struct coder *coder, const uint8_t **in, size_t *in_len, enum coder_flush flush)
{
	static const int flushes[] = { Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH };
	struct zlib_coder *c = (struct zlib_coder *)coder;
	uInt given = (uInt)(*in_len > UINT32_MAX ? UINT32_MAX : *in_len);
	int ret;

	c->z.next_in = (Bytef *)(uintptr_t)*in;
	c->z.avail_in = given;
	c->z.next_out = coder->out + coder->len;
	c->z.avail_out = (uInt)(CODER_OUT - coder->len);
	ret = deflate(&c->z, flushes[flush]);
	*in_len -= given - c->z.avail_in;
	*in += given - c->z.avail_in;
	coder->len = CODER_OUT - c->z.avail_out;
	if (ret == Z_STREAM_ERROR)
		return -EIO;
	if (flush == CODER_FINISH)
		return ret == Z_STREAM_END ? CODER_DONE : CODER_MORE;
	return flush == CODER_FLUSH && c->z.avail_out ? CODER_DONE : CODER_MORE;
}

static void fini_decoder(struct coder *coder)
{
	struct zlib_coder *c = (struct zlib_coder *)coder;

	if (c->is_open)
		inflateEnd(&c->z);
}

static void fini_encoder(struct coder *coder)
{
	struct zlib_coder *c = (struct zlib_coder *)coder;

	if (c->is_open)
		deflateEnd(&c->z);
}

static struct zlib_coder *coder_new(enum body_coding coding, const struct coder_ops *ops)
{
	struct zlib_coder *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	coder_init(&c->coder, ops);
	c->coding = coding;
	return c;
}

struct body_stage *zlib_decoder_new(enum body_coding coding)
{
	static const struct coder_ops gzip = { true, step_gzip, fini_decoder };
	static const struct coder_ops deflate_ops = { true, step_deflate, fini_decoder };
	struct zlib_coder *c = coder_new(coding, coding == CODING_GZIP ? &gzip : &deflate_ops);

	if (!c || coding != CODING_GZIP)
		return c ? &c->coder.stage : NULL;
	if (inflateInit2(&c->z, WINDOW_GZIP) != Z_OK) {
		free(c);
		return NULL;
	}
	c->is_open = true;
	return &c->coder.stage;
}

struct body_stage *zlib_encoder_new(enum body_coding coding)
{
	static const struct coder_ops ops = { false, step_encode, fini_encoder };
	struct zlib_coder *c = coder_new(coding, &ops);

	if (!c)
		return NULL;
	if (deflateInit2(&c->z, LEVEL, Z_DEFLATED,
		    coding == CODING_GZIP ? WINDOW_GZIP : WINDOW_ZLIB, MEM_LEVEL,
		    Z_DEFAULT_STRATEGY) != Z_OK) {
		free(c);
		return NULL;
	}
	c->is_open = true;
	return &c->coder.stage;
}
