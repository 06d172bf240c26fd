/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/list_content.h"
#include <uv.h>

/*
 * One job on the work pool: writes the state file (bits must be on disk before a set with them is
 * published), and then, when wanted, compiles the domain set. Texts that no list refers to go away.
 * While one is compiled, another job may write.
 */
struct list_compile {
	uv_work_t work;
	uint8_t key[16];
	char *texts_dir, *state_file;
	char *key_file;	  /* the key is to be written there first; NULL = it is */
	char *state;	  /* text of the state file */
	char (*keep)[65]; /* digests of texts in use */
	size_t keep_count;
	struct list_content *contents[LIST_BITS]; /* one reference each; NULL = none */
	struct list_version version; /* in: ids; out: digest, count of distinct names */
	/* out */
	int save_err, err;
	struct buf image;
	uint64_t ms;
	void *arg;
	void (*on_saved)(struct list_compile *job);    /* the state was written, or not */
	void (*on_compiled)(struct list_compile *job); /* NULL = is not wanted; not called where
							  the state could not be written */
};

struct list_compile *list_compile_new(
	const uint8_t key[static 16], const char *texts_dir, const char *state_file);
/* For a job that was not started. NULL allowed. */
void list_compile_free(struct list_compile *job);
/* Writes the state file alone, at once: for the end, when no job runs any more. 0 or -errno. */
int list_compile_save(const struct list_compile *job);
/* Freed after the last callback. */
void list_compile_start(
	struct list_compile *job, uv_loop_t *loop, void (*on_saved)(struct list_compile *job));
