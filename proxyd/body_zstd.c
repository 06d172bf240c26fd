/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/body_coder.h"
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define LEVEL	   1
#define WINDOW_LOG 17
/* RFC 9659: 8 MiB at most. */
#define WINDOW_LOG_MAX 23

struct zstd_coder {
	struct coder coder;
	ZSTD_DCtx *decoder;
	ZSTD_CCtx *encoder;
};

static int from_zstd(size_t ret)
{
	switch (ZSTD_getErrorCode(ret)) {
	case ZSTD_error_memory_allocation:
		return -ENOMEM;
	case ZSTD_error_frameParameter_windowTooLarge:
		return -EFBIG;
	default:
		return -EBADMSG;
	}
}

/* Frames may follow each other. */
static int step_decode(
	struct coder *coder, const uint8_t **in, size_t *in_len, enum coder_flush flush)
{
	struct zstd_coder *c = (struct zstd_coder *)coder;
	ZSTD_inBuffer from = { *in, *in_len, 0 };
	ZSTD_outBuffer to = { coder->out, CODER_OUT, coder->len };
	size_t ret;

	(void)flush;
	if (coder->is_whole && !*in_len)
		return CODER_MORE;
	ret = ZSTD_decompressStream(c->decoder, &to, &from);
	if (ZSTD_isError(ret))
		return from_zstd(ret);
	coder->is_whole = !ret;
	*in += from.pos;
	*in_len -= from.pos;
	coder->len = to.pos;
	return CODER_MORE;
}

static int step_encode(
	struct coder *coder, const uint8_t **in, size_t *in_len, enum coder_flush flush)
{
	static const ZSTD_EndDirective directives[] = { ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end };
	struct zstd_coder *c = (struct zstd_coder *)coder;
	ZSTD_inBuffer from = { *in, *in_len, 0 };
	ZSTD_outBuffer to = { coder->out, CODER_OUT, coder->len };
	size_t left = ZSTD_compressStream2(c->encoder, &to, &from, directives[flush]);

	if (ZSTD_isError(left))
		return -EIO;
	*in += from.pos;
	*in_len -= from.pos;
	coder->len = to.pos;
	return flush != CODER_RUN && !left ? CODER_DONE : CODER_MORE;
}

static void fini(struct coder *coder)
{
	struct zstd_coder *c = (struct zstd_coder *)coder;

	ZSTD_freeDCtx(c->decoder);
	ZSTD_freeCCtx(c->encoder);
}

struct body_stage *zstd_decoder_new(void)
{
	static const struct coder_ops ops = { true, step_decode, fini };
	struct zstd_coder *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	coder_init(&c->coder, &ops);
	c->decoder = ZSTD_createDCtx();
	if (!c->decoder) {
		free(c);
		return NULL;
	}
	ZSTD_DCtx_setParameter(c->decoder, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return &c->coder.stage;
}

struct body_stage *zstd_encoder_new(void)
{
	static const struct coder_ops ops = { false, step_encode, fini };
	struct zstd_coder *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	coder_init(&c->coder, &ops);
	c->encoder = ZSTD_createCCtx();
	if (!c->encoder) {
		free(c);
		return NULL;
	}
	ZSTD_CCtx_setParameter(c->encoder, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(c->encoder, ZSTD_c_windowLog, WINDOW_LOG);
	return &c->coder.stage;
}
