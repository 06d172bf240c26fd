/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_compile.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_MAX (1u << 30)

static int compile(struct list_compile *job)
{
	struct domainset_builder *b = domainset_builder_new();
	struct domainset set;
	int err = b ? domainset_builder_set_key(b, job->key) : -ENOMEM;

	for (unsigned i = 0; i < LIST_BITS && !err; i++) {
		if (job->contents[i])
			err = domainset_builder_merge(b, job->contents[i]->rules, i);
	}
	if (!err)
		err = domainset_builder_finish(b, &job->image);
	domainset_builder_free(b);
	/* What consumers would refuse is not published. */
	if (!err)
		err = domainset_open(job->image.data, job->image.len, &set);
	if (!err) {
		job->version.count = set.count;
		list_digest(job->image.data, job->image.len, job->version.digest);
		domainset_close(&set);
	}
	return err;
}

int list_compile_save(const struct list_compile *job)
{
	int err = 0;

	if (job->key_file)
		err = file_write_atomic(job->key_file, job->key, sizeof(job->key), 0600);
	if (!err)
		err = file_write_atomic(job->state_file, job->state, strlen(job->state), 0600);
	return err;
}

static void work_compile(uv_work_t *work)
{
	struct list_compile *job = work->data;
	uint64_t start = uv_hrtime();

	job->err = compile(job);
	job->ms = (uv_hrtime() - start) / 1000000;
}

static void after_compile(uv_work_t *work, int status)
{
	struct list_compile *job = work->data;

	if (status)
		job->err = status;
	job->on_compiled(job);
	list_compile_free(job);
}

static void work_save(uv_work_t *work)
{
	struct list_compile *job = work->data;

	job->save_err = list_compile_save(job);
	if (!job->save_err)
		list_texts_sweep(job->texts_dir, (const char(*)[65])job->keep, job->keep_count);
}

static void after_save(uv_work_t *work, int status)
{
	struct list_compile *job = work->data;

	if (status)
		job->save_err = status;
	job->on_saved(job);
	if (job->on_compiled && !job->save_err)
		uv_queue_work(work->loop, work, work_compile, after_compile);
	else
		list_compile_free(job);
}

struct list_compile *list_compile_new(
	const uint8_t key[static 16], const char *texts_dir, const char *state_file)
{
	struct list_compile *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	memcpy(job->key, key, sizeof(job->key));
	job->texts_dir = strdup(texts_dir);
	job->state_file = strdup(state_file);
	buf_init(&job->image, IMAGE_MAX);
	job->work.data = job;
	if (!job->texts_dir || !job->state_file) {
		list_compile_free(job);
		return NULL;
	}
	return job;
}

void list_compile_free(struct list_compile *job)
{
	if (!job)
		return;
	for (int i = 0; i < LIST_BITS; i++)
		list_content_unref(job->contents[i]);
	buf_fini(&job->image);
	free(job->texts_dir);
	free(job->state_file);
	free(job->key_file);
	free(job->state);
	free(job->keep);
	free(job);
}

void list_compile_start(
	struct list_compile *job, uv_loop_t *loop, void (*on_saved)(struct list_compile *job))
{
	job->on_saved = on_saved;
	uv_queue_work(loop, &job->work, work_save, after_save);
}
