/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/list_content.h"
#include "syncd/list_file.h"
#include <uv.h>

/*
 * One list taken in on the work pool: text from cache, file or a downloaded body → checked, parsed,
 * guarded against shrinking, kept in the cache.
 */
enum list_take_from { LIST_TAKE_CACHE, LIST_TAKE_FILE, LIST_TAKE_BODY };

struct list_take {
	uv_work_t work;
	enum list_take_from from;
	const char *lists_dir, *texts_dir; /* of the environment */
	uint8_t key[16];
	struct list_options options;
	char *source;		      /* that it is taken from */
	char digest[65];	      /* in: of the version in force, "" = none */
	bool has_content;	      /* that version is parsed already */
	uint64_t size_before;	      /* its entries for the shrink guard, 0 = no guard */
	struct list_file_stamp stamp; /* in and out */
	char *etag, *last_modified;   /* passed through */
	char *coding;		      /* of the body, NULL = none */
	size_t bytes_max;	      /* of a body decoded */
	struct buf text;
	/* out */
	int err; /* 0, -EAGAIN (file being written), or -errno with why */
	char why[192];
	bool is_passing; /* with err: nothing is wrong with text, it is to be taken later */
	struct list_content *content; /* NULL with err 0: nothing changed */
	void *arg;
	void (*on_done)(struct list_take *t); /* t and what is left in it are freed after it */
};

/* Copies source, the rest outlives it. NULL without memory. */
struct list_take *list_take_new(enum list_take_from from, const char *source, const char *lists_dir,
	const char *texts_dir, const uint8_t key[static 16]);
/* A text that was kept is not there any more; with any other error it may be had later. */
bool list_take_is_lost(const struct list_take *t);
/* Takes over body. */
void list_take_body(struct list_take *t, uint8_t *body, size_t len);
void list_take_start(struct list_take *t, uv_loop_t *loop, void (*on_done)(struct list_take *t));
