/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/body_coder.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- names ---- */

static const struct {
	const char *text;
	enum body_coding coding;
} names[] = {
	{ "gzip", CODING_GZIP },
	{ "deflate", CODING_DEFLATE },
	{ "br", CODING_BR },
	{ "zstd", CODING_ZSTD },
	{ "x-gzip", CODING_GZIP },
};

const char *coding_text(enum body_coding coding)
{
	return names[coding].text;
}

int coding_parse(const char *text, size_t len, enum body_coding *out)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i].text) == len && !strncasecmp(names[i].text, text, len)) {
			*out = names[i].coding;
			return 0;
		}
	}
	return len == 8 && !strncasecmp(text, "identity", 8) ? -ENOENT : -EPROTO;
}

int codings_parse(const char *value, enum body_coding out[static CODINGS_MAX])
{
	int count = 0;

	while (*value) {
		size_t len;
		int err;

		value += strspn(value, ", \t");
		len = strcspn(value, ", \t");
		if (!len)
			break;
		if (count == CODINGS_MAX)
			return -E2BIG;
		err = coding_parse(value, len, &out[count]);
		if (err == -EPROTO)
			return err;
		count += !err;
		value += len;
	}
	return count;
}

struct body_stage *decoder_new(enum body_coding coding)
{
	switch (coding) {
	case CODING_GZIP:
	case CODING_DEFLATE:
		return zlib_decoder_new(coding);
	case CODING_BR:
		return brotli_decoder_new();
	case CODING_ZSTD:
		return zstd_decoder_new();
	case CODINGS:
		break;
	}
	abort();
}

struct body_stage *encoder_new(enum body_coding coding)
{
	switch (coding) {
	case CODING_GZIP:
	case CODING_DEFLATE:
		return zlib_encoder_new(coding);
	case CODING_BR:
		return brotli_encoder_new();
	case CODING_ZSTD:
		return zstd_encoder_new();
	case CODINGS:
		break;
	}
	abort();
}

/* ---- the loop ---- */

static bool must_stop(const struct coder *c)
{
	return c->ops->is_decoder && body_is_stopped(c->stage.chain);
}

static bool is_bomb(const struct coder *c)
{
	return c->ops->is_decoder && c->given > CODING_FREE && c->given / CODING_RATIO > c->taken;
}

/* Gives on what is in out: BODY_ALL, BODY_LATER (the next one took a part only), -errno. */
static int drain(struct coder *c)
{
	ssize_t n;

	if (c->at == c->len)
		return BODY_ALL;
	n = body_pass(&c->stage, c->out + c->at, c->len - c->at);
	if (n < 0)
		return (int)n;
	c->given += (size_t)n;
	c->at += (size_t)n;
	if (is_bomb(c))
		return -EFBIG;
	if (c->at < c->len)
		return BODY_LATER;
	c->at = c->len = 0;
	return BODY_ALL;
}

/* One call of the library; the output is drained before it. */
static int step(struct coder *c, const uint8_t **in, size_t *in_len, enum coder_flush flush)
{
	size_t before = *in_len;
	int ret = c->ops->step(c, in, in_len, flush);

	c->taken += before - *in_len;
	c->has_more = c->len == CODER_OUT;
	return ret;
}

/* Takes what it can. The bytes left in *in_len, when it returns 0, wait for the sink. */
static int work(struct coder *c, const uint8_t **in, size_t *in_len, enum coder_flush flush)
{
	for (;;) {
		int ret = drain(c);

		if (ret)
			return ret < 0 ? ret : 0;
		if (c->is_done && c->ops->is_decoder) {
			*in_len = 0; /* what follows is no content */
			return 0;
		}
		if (must_stop(c) || (!*in_len && !c->has_more && flush == CODER_RUN))
			return 0;
		ret = step(c, in, in_len, flush);
		if (ret < 0)
			return ret;
		if (ret == CODER_DONE)
			c->is_done = c->is_whole = c->ops->is_decoder || flush == CODER_FINISH;
		if (ret == CODER_DONE && !c->ops->is_decoder)
			return drain(c);
	}
}

static ssize_t on_write(struct body_stage *s, const void *data, size_t len)
{
	struct coder *c = (struct coder *)s;
	const uint8_t *in = data;
	size_t left = len;
	int err = work(c, &in, &left, CODER_RUN);

	return err ? err : (ssize_t)(len - left);
}

static int on_resume(struct body_stage *s)
{
	const uint8_t *in = NULL;
	size_t none = 0;

	return work((struct coder *)s, &in, &none, CODER_RUN);
}

static int on_flush(struct body_stage *s)
{
	struct coder *c = (struct coder *)s;
	const uint8_t *in = NULL;
	size_t none = 0;
	int err;

	if (!c->ops->is_decoder && c->flushed != c->taken) {
		c->flushed = c->taken;
		err = work(c, &in, &none, CODER_FLUSH);
		if (err)
			return err;
	}
	return body_pass_flush(s);
}

static int end_encoder(struct coder *c)
{
	const uint8_t *in = NULL;
	size_t none = 0;
	int err = c->is_done ? 0 : work(c, &in, &none, CODER_FINISH);

	return err ? err : body_pass_end(&c->stage);
}

static int end_decoder(struct coder *c)
{
	int err = on_resume(&c->stage);

	if (err)
		return err;
	if (c->at < c->len || (c->has_more && !c->is_done))
		return BODY_LATER;
	if (!c->is_whole && c->taken)
		return -EBADMSG;
	return body_pass_end(&c->stage);
}

static int on_end(struct body_stage *s)
{
	struct coder *c = (struct coder *)s;

	return c->ops->is_decoder ? end_decoder(c) : end_encoder(c);
}

static void on_free(struct body_stage *s)
{
	struct coder *c = (struct coder *)s;

	c->ops->fini(c);
	free(c);
}

void coder_init(struct coder *c, const struct coder_ops *ops)
{
	static const struct body_stage_ops stage_ops = {
		.write = on_write,
		.flush = on_flush,
		.resume = on_resume,
		.end = on_end,
		.free = on_free,
	};

	c->stage.ops = &stage_ops;
	c->ops = ops;
}
