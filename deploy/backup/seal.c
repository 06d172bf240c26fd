/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "deploy/backup/seal.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>

#define TAG_LEN crypto_secretstream_xchacha20poly1305_ABYTES

_Static_assert(SEAL_STREAM_LEN == crypto_secretstream_xchacha20poly1305_HEADERBYTES, "its head");

struct seal_work {
	crypto_secretstream_xchacha20poly1305_state stream;
	uint8_t key[SEAL_KEY_LEN];
	uint8_t head[SEAL_HEAD_LEN];
	uint8_t text[SEAL_CHUNK_LEN];
	uint8_t sealed[SEAL_CHUNK_LEN + TAG_LEN];
};

static void free_work(struct seal_work *w)
{
	sodium_memzero(w, sizeof(*w));
	free(w);
}

static int put(FILE *out, const uint8_t *data, size_t len)
{
	return fwrite(data, 1, len, out) == len ? 0 : -EIO;
}

static int begin_writing(struct seal_work *w, const struct seal_key *key, FILE *out)
{
	struct seal_head head = { 0 };
	int err = seal_key_wrap(key, &head, w->key);

	if (err)
		return err;
	if (crypto_secretstream_xchacha20poly1305_init_push(&w->stream, head.stream, w->key))
		return -EINVAL;
	seal_head_format(&head, w->head);
	return put(out, w->head, sizeof(w->head));
}

/* The next byte decides whether this chunk is the last. */
static bool is_at_end(FILE *in)
{
	int c = fgetc(in);

	if (c != EOF)
		ungetc(c, in);
	return c == EOF;
}

static int write_chunks(struct seal_work *w, FILE *in, FILE *out)
{
	unsigned char tag = 0;

	while (tag != crypto_secretstream_xchacha20poly1305_TAG_FINAL) {
		size_t n = fread(w->text, 1, sizeof(w->text), in);

		if (is_at_end(in))
			tag = crypto_secretstream_xchacha20poly1305_TAG_FINAL;
		/* A read that failed must not look like the end. */
		if (ferror(in))
			return -EIO;
		crypto_secretstream_xchacha20poly1305_push(
			&w->stream, w->sealed, NULL, w->text, n, w->head, sizeof(w->head), tag);
		if (put(out, w->sealed, n + TAG_LEN))
			return -EIO;
	}
	return fflush(out) ? -EIO : 0;
}

int seal_write(const struct seal_key *key, FILE *in, FILE *out)
{
	struct seal_work *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	err = begin_writing(w, key, out);
	if (!err)
		err = write_chunks(w, in, out);
	free_work(w);
	return err;
}

static int begin_reading(struct seal_work *w, const struct seal_key *key, FILE *in)
{
	struct seal_head head;
	size_t n = fread(w->head, 1, sizeof(w->head), in);
	int err = ferror(in) ? -EIO : seal_head_parse(w->head, n, &head);

	if (!err)
		err = seal_key_unwrap(key, &head, w->key);
	if (!err &&
		crypto_secretstream_xchacha20poly1305_init_pull(&w->stream, head.stream, w->key))
		err = -EBADMSG;
	return err;
}

static int read_chunk(struct seal_work *w, FILE *in, FILE *out, uint64_t *at, bool *is_last)
{
	size_t n = fread(w->sealed, 1, sizeof(w->sealed), in);
	unsigned char tag;

	if (ferror(in))
		return -EIO;
	if (n < TAG_LEN)
		return -ENODATA;
	if (crypto_secretstream_xchacha20poly1305_pull(
		    &w->stream, w->text, NULL, &tag, w->sealed, n, w->head, sizeof(w->head)))
		return n < sizeof(w->sealed) ? -ENODATA : -EBADMSG;
	*is_last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
	*at += n;
	return put(out, w->text, n - TAG_LEN);
}

static int read_chunks(struct seal_work *w, FILE *in, FILE *out, uint64_t *at)
{
	bool is_last = false;

	while (!is_last) {
		int err = read_chunk(w, in, out, at, &is_last);

		if (err)
			return err;
	}
	if (!is_at_end(in))
		return -EFBIG;
	return fflush(out) ? -EIO : 0;
}

int seal_read(const struct seal_key *key, FILE *in, FILE *out, uint64_t *at)
{
	struct seal_work *w = calloc(1, sizeof(*w));
	int err;

	*at = 0;
	if (!w)
		return -ENOMEM;
	err = begin_reading(w, key, in);
	if (!err) {
		*at = SEAL_HEAD_LEN;
		err = read_chunks(w, in, out, at);
	}
	free_work(w);
	return err;
}
