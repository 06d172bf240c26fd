/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/body_coder.h"
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <errno.h>
#include <stdlib.h>

/* RFC 7932. A window of 256 KiB keeps an encoder below 2 MiB. */
#define QUALITY	    1
#define WINDOW_BITS 18

struct brotli_coder {
	struct coder coder;
	BrotliDecoderState *decoder;
	BrotliEncoderState *encoder;
};

static int step_decode(
	struct coder *coder, const uint8_t **in, size_t *in_len, enum coder_flush flush)
{
	struct brotli_coder *c = (struct brotli_coder *)coder;
	size_t room = CODER_OUT - coder->len;
	uint8_t *out = coder->out + coder->len;
	BrotliDecoderResult ret;

	(void)flush;
	ret = BrotliDecoderDecompressStream(c->decoder, in_len, in, &room, &out, NULL);
	coder->len = CODER_OUT - room;
	if (ret == BROTLI_DECODER_RESULT_ERROR)
		return -EBADMSG;
	return ret == BROTLI_DECODER_RESULT_SUCCESS ? CODER_DONE : CODER_MORE;
}

static int step_encode(
	struct coder *coder, const uint8_t **in, size_t *in_len, enum coder_flush flush)
{
	static const BrotliEncoderOperation operations[] = { BROTLI_OPERATION_PROCESS,
		BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH };
	struct brotli_coder *c = (struct brotli_coder *)coder;
	size_t room = CODER_OUT - coder->len;
	uint8_t *out = coder->out + coder->len;

	if (!BrotliEncoderCompressStream(
		    c->encoder, operations[flush], in_len, in, &room, &out, NULL))
		return -EIO;
	coder->len = CODER_OUT - room;
	if (BrotliEncoderHasMoreOutput(c->encoder) || *in_len)
		return CODER_MORE;
	if (flush == CODER_FINISH)
		return BrotliEncoderIsFinished(c->encoder) ? CODER_DONE : CODER_MORE;
	return flush == CODER_FLUSH ? CODER_DONE : CODER_MORE;
}

static void fini(struct coder *coder)
{
	struct brotli_coder *c = (struct brotli_coder *)coder;

	BrotliDecoderDestroyInstance(c->decoder);
	BrotliEncoderDestroyInstance(c->encoder);
}

struct body_stage *brotli_decoder_new(void)
{
	static const struct coder_ops ops = { true, step_decode, fini };
	struct brotli_coder *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	coder_init(&c->coder, &ops);
	c->decoder = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	if (!c->decoder) {
		free(c);
		return NULL;
	}
	return &c->coder.stage;
}

struct body_stage *brotli_encoder_new(void)
{
	static const struct coder_ops ops = { false, step_encode, fini };
	struct brotli_coder *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	coder_init(&c->coder, &ops);
	c->encoder = BrotliEncoderCreateInstance(NULL, NULL, NULL);
	if (!c->encoder) {
		free(c);
		return NULL;
	}
	BrotliEncoderSetParameter(c->encoder, BROTLI_PARAM_QUALITY, QUALITY);
	BrotliEncoderSetParameter(c->encoder, BROTLI_PARAM_LGWIN, WINDOW_BITS);
	return &c->coder.stage;
}
