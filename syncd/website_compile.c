/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/website_compile.h"
#include "common/policy/webset.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct website *website_new(const struct rec_website *rec)
{
	struct website *w = calloc(1, sizeof(*w));

	if (w && rec_copy(REC_website, rec, &w->rec)) {
		free(w);
		return NULL;
	}
	if (w)
		w->refs = 1;
	return w;
}

struct website *website_ref(struct website *w)
{
	w->refs++;
	return w;
}

void website_unref(struct website *w)
{
	if (!w || --w->refs)
		return;
	rec_fini(REC_website, &w->rec);
	free(w);
}

/* A rule that matches nothing is counted; whatever else fails, fails the whole. */
static int add_sites(struct website_compile *job, struct webset_builder *b)
{
	for (size_t i = 0; i < job->site_count; i++) {
		const struct rec_website *rec = &job->sites[i]->rec;
		int err = webset_builder_add(b, rec);

		if (err == -EINVAL) {
			if (!job->refused++)
				job->first_refused = rec->id;
		} else if (err) {
			return err;
		}
	}
	return 0;
}

static int add_urls(struct website_compile *job, struct webset_builder *b)
{
	for (int i = 0; i < LIST_BITS; i++) {
		const struct list_content *c = job->lists[i];

		for (size_t at = 0; c && at < c->urls.len;) {
			const char *url = (const char *)c->urls.data + at;
			size_t len = strlen(url);
			int err = webset_builder_add_url(b, job->list_ids[i], url, len);

			if (err && err != -EINVAL)
				return err;
			at += len + 1;
		}
	}
	return 0;
}

static int compile(struct website_compile *job)
{
	struct webset_builder *b = webset_builder_new();
	struct webset set;
	int err = b ? 0 : -ENOMEM;

	if (b)
		webset_builder_set_key(b, job->key);
	if (!err)
		err = add_sites(job, b);
	if (!err)
		err = add_urls(job, b);
	if (!err)
		err = webset_builder_finish(b, &job->image);
	webset_builder_free(b);
	/* What consumers would refuse is not published. */
	if (!err)
		err = webset_open(job->image.data, job->image.len, &set);
	if (!err) {
		job->count = webset_count(&set);
		list_digest(job->image.data, job->image.len, job->digest);
		webset_close(&set);
	}
	return err;
}

static void on_work(uv_work_t *work)
{
	struct website_compile *job = work->data;
	uint64_t start = uv_hrtime();

	job->err = compile(job);
	job->ms = (uv_hrtime() - start) / 1000000;
}

static void on_after(uv_work_t *work, int status)
{
	struct website_compile *job = work->data;

	if (status)
		job->err = status;
	job->on_done(job);
	website_compile_free(job);
}

struct website_compile *website_compile_new(const uint8_t key[static 16])
{
	struct website_compile *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	memcpy(job->key, key, sizeof(job->key));
	buf_init(&job->image, 0);
	job->work.data = job;
	return job;
}

void website_compile_free(struct website_compile *job)
{
	if (!job)
		return;
	for (size_t i = 0; i < job->site_count; i++)
		website_unref(job->sites[i]);
	for (int i = 0; i < LIST_BITS; i++)
		list_content_unref(job->lists[i]);
	buf_fini(&job->image);
	free(job->sites);
	free(job);
}

void website_compile_start(
	struct website_compile *job, uv_loop_t *loop, void (*on_done)(struct website_compile *job))
{
	job->on_done = on_done;
	uv_queue_work(loop, &job->work, on_work, on_after);
}
