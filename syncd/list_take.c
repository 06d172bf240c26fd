/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_take.h"
#include "syncd/list_decode.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECODE_ROOM (1u << 17) /* for the step that finds the end */

static const char *file_error_text(int err)
{
	switch (err) {
	case -ENOENT:
		return "file not found";
	case -EXDEV:
	case -ELOOP:
		return "leads out of lists_dir";
	case -EINVAL:
		return "not a regular file";
	case -EFBIG:
		return "larger than 256 MiB";
	case -EBADMSG:
		return "does not have its digest";
	}
	return strerror(-err);
}

/* The body without its content coding; the plain one stays where it is. */
static int decode(struct list_take *t)
{
	struct buf plain;
	int err;

	if (!t->coding)
		return 0;
	buf_init(&plain, t->bytes_max + DECODE_ROOM);
	err = list_decode(t->coding, t->text.data, t->text.len, &plain);
	if (!err && plain.len > t->bytes_max)
		err = -EFBIG;
	buf_fini(&t->text);
	t->text = plain;
	if (err == -EPROTO)
		snprintf(t->why, sizeof(t->why), "content coding that was not asked for");
	else if (err == -EFBIG)
		snprintf(t->why, sizeof(t->why), "larger than %zu MiB", t->bytes_max >> 20);
	else if (err)
		snprintf(t->why, sizeof(t->why), "%s",
			err == -ENOMEM
				? "out of memory"
				: "truncated or corrupt: its content coding does not end right");
	return err;
}

/* 0, 1 nothing changed, -errno. */
static int get_text(struct list_take *t)
{
	int err = 0;

	if (t->from == LIST_TAKE_CACHE)
		err = list_text_read(t->texts_dir, t->digest, &t->text);
	else if (t->from == LIST_TAKE_BODY)
		return decode(t);
	else if (t->from == LIST_TAKE_FILE)
		err = list_file_read(
			t->lists_dir, t->source + strlen("file:"), &t->stamp, &t->text);
	if (err < 0 && err != -EAGAIN)
		snprintf(t->why, sizeof(t->why), "%s", file_error_text(err));
	return err;
}

static void guard(struct list_take *t)
{
	if (!t->size_before || !list_content_is_shrunk(t->content, t->size_before))
		return;
	t->err = -ERANGE;
	snprintf(t->why, sizeof(t->why), "shrank from %lu to %lu entries; the old ones stay",
		t->size_before, list_content_size(t->content));
}

static void on_work(uv_work_t *work)
{
	struct list_take *t = work->data;
	char digest[65];

	t->err = get_text(t);
	if (t->err) {
		t->err = t->err == 1 ? 0 : t->err;
		return;
	}
	/* A text from the cache was held against its digest when it was read. */
	if (t->from == LIST_TAKE_CACHE)
		memcpy(digest, t->digest, sizeof(digest));
	else
		list_digest(t->text.data, t->text.len, digest);
	if (t->from != LIST_TAKE_CACHE && t->has_content && !strcmp(digest, t->digest))
		return;
	t->err = list_content_make(t->text.data, t->text.len, digest, &t->options, t->key,
		&t->content, t->why, sizeof(t->why));
	t->is_passing = t->err == -ENOMEM;
	if (t->err)
		return;
	if (t->from == LIST_TAKE_CACHE)
		return;
	guard(t);
	if (!t->err) {
		t->err = list_text_write(t->texts_dir, digest, t->text.data, t->text.len);
		t->is_passing = t->err != 0;
		if (t->err)
			snprintf(t->why, sizeof(t->why), "cannot keep a copy: %s",
				strerror(-t->err));
	}
	if (t->err) {
		list_content_unref(t->content);
		t->content = NULL;
	}
}

static void on_after(uv_work_t *work, int status)
{
	struct list_take *t = work->data;

	if (status)
		t->err = status;
	t->on_done(t);
	list_content_unref(t->content);
	buf_fini(&t->text);
	free(t->source);
	free(t->etag);
	free(t->last_modified);
	free(t->coding);
	free(t);
}

struct list_take *list_take_new(enum list_take_from from, const char *source, const char *lists_dir,
	const char *texts_dir, const uint8_t key[static 16])
{
	struct list_take *t = calloc(1, sizeof(*t));

	if (t)
		t->source = strdup(source);
	if (!t || !t->source) {
		free(t);
		return NULL;
	}
	t->from = from;
	t->lists_dir = lists_dir;
	t->texts_dir = texts_dir;
	memcpy(t->key, key, sizeof(t->key));
	/* Room for the read that finds the end. */
	buf_init(&t->text, LIST_BYTES_MAX + (1u << 17));
	t->work.data = t;
	return t;
}

bool list_take_is_lost(const struct list_take *t)
{
	return t->err == -ENOENT || t->err == -EBADMSG;
}

void list_take_body(struct list_take *t, uint8_t *body, size_t len)
{
	t->text.data = body;
	t->text.len = len;
	t->text.cap = len;
}

void list_take_start(struct list_take *t, uv_loop_t *loop, void (*on_done)(struct list_take *t))
{
	t->on_done = on_done;
	uv_queue_work(loop, &t->work, on_work, on_after);
}
