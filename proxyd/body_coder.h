/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/body_coding.h"

/* Private to proxyd/body_*.c: the one loop around the coding libraries. */

#define CODER_OUT (16u << 10)

enum coder_flush { CODER_RUN, CODER_FLUSH, CODER_FINISH };
enum { CODER_MORE = 0, CODER_DONE = 1 };

struct coder;
struct coder_ops {
	bool is_decoder;
	/* Takes of *in and fills out from len on. CODER_MORE; CODER_DONE: the coded data is whole
	 * (decoder), or all of the flush is out (encoder); -errno. */
	int (*step)(struct coder *c, const uint8_t **in, size_t *in_len, enum coder_flush flush);
	void (*fini)(struct coder *c);
};

/* The head of a library's own struct. */
struct coder {
	struct body_stage stage;
	const struct coder_ops *ops;
	size_t at, len;	       /* of out: given on, and there */
	bool has_more;	       /* the library has output that it had no room for */
	bool is_done;	       /* nothing more comes of further input */
	bool is_whole;	       /* the coded data may end here */
	uint64_t taken, given; /* bytes */
	uint64_t flushed;      /* of taken */
	uint8_t out[CODER_OUT];
};

void coder_init(struct coder *c, const struct coder_ops *ops);

/* Zeroed and initialised, or NULL. */
struct body_stage *zlib_decoder_new(enum body_coding coding);
struct body_stage *zlib_encoder_new(enum body_coding coding);
struct body_stage *brotli_decoder_new(void);
struct body_stage *brotli_encoder_new(void);
struct body_stage *zstd_decoder_new(void);
struct body_stage *zstd_encoder_new(void);
