/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A growing byte buffer with an upper bound. A failed append (bound reached, no memory) sets
 * `failed` and changes nothing; later appends fail too, so that a caller may check once at the end.
 * data is always followed by a zero byte once something was appended.
 */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max; /* bytes, 0 = 64 MiB */
	int failed; /* 0 or -ENOMEM / -ENOSPC */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b); /* empties, keeps the memory, clears failed */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_str(struct buf *b, const char *text);
int buf_append_byte(struct buf *b, uint8_t byte);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for len more bytes at data + len; the caller then adds to len itself. */
int buf_reserve(struct buf *b, size_t len);
/* Removes the first len bytes. */
void buf_consume(struct buf *b, size_t len);
/* Hands the memory to the caller (free with free()), the buffer is empty then. */
uint8_t *buf_release(struct buf *b, size_t *len);
/* Reads a whole file. -errno, -EFBIG above max, -ESPIPE for a pipe. */
int buf_read_file(struct buf *b, const char *path);
/* Writes atomically: a temporary file beside it, fsync, rename. Mode as given. */
int file_write_atomic(const char *path, const void *data, size_t len, unsigned mode);
