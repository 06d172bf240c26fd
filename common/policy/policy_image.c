/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/policy_image.h"
#include "common/log.h"
#include "common/policy/store.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MIN_MS = 500, RETRY_MAX_MS = 60000 };

/* No room on the disk, or no memory: that may pass. */
static void retry_later(struct policy_image *im)
{
	timer_start(&im->retry, im->retry_ms, 0);
	im->retry_ms = im->retry_ms * 2 < RETRY_MAX_MS ? im->retry_ms * 2 : RETRY_MAX_MS;
}

/* One file on its way through the work pool; outlives an image that is closed meanwhile. */
struct image_job {
	uv_work_t work;
	const struct policy_image_ops *ops;
	struct policy_image *image; /* NULL: nobody waits */
	char digest[65];
	char path[512];
	void *opened; /* to be swapped in; afterwards what it replaced */
	int err;
};

static void on_close_work(uv_work_t *work)
{
	struct image_job *job = work->data;

	job->ops->close(job->opened);
}

static void on_closed_work(uv_work_t *work, int status)
{
	(void)status;
	free(work->data);
}

/* To unmap millions of names takes a while, too. */
static void close_later(struct image_job *job, uv_loop_t *loop)
{
	if (!job->opened || uv_queue_work(loop, &job->work, on_close_work, on_closed_work)) {
		if (job->opened)
			job->ops->close(job->opened);
		free(job);
	}
}

/* A bad one leaves the last good in force. */
static void not_loaded(struct policy_image *im, int err)
{
	log_error("%s not loaded, the last good stays blob=%s error=%s", im->ops->name, im->wanted,
		strerror(-err));
	retry_later(im);
}

static void put_in_force(struct policy_image *im, struct image_job *job)
{
	void *fresh = job->opened;

	im->ops->swap(im->policy, fresh, &job->opened);
	memcpy(im->mapped, job->digest, sizeof(im->mapped));
	im->in_force = im->gen;
	im->retry_ms = RETRY_MIN_MS;
	timer_stop(&im->retry);
	log_info("%s in force blob=%.12s", im->ops->name, im->mapped);
	policy_changed(im->policy, im->ops->topic, BUS_SYNCD, im->gen);
}

static void on_open_work(uv_work_t *work)
{
	struct image_job *job = work->data;

	job->err = job->ops->open(job->path, &job->opened);
}

static void on_opened(uv_work_t *work, int status)
{
	struct image_job *job = work->data;
	struct policy_image *im = job->image;

	if (status)
		job->err = status;
	if (im) {
		im->job = NULL;
		if (job->err)
			not_loaded(im, job->err);
		else if (!strcmp(job->digest, im->wanted))
			put_in_force(im, job);
	}
	close_later(job, work->loop);
}

static void forget_job(struct policy_image *im)
{
	if (im->job)
		im->job->image = NULL;
	im->job = NULL;
}

/* The file is here and has the digest's content: map and check it beside the loop, then swap. */
static int open_later(struct policy_image *im, const char *path)
{
	struct image_job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->work.data = job;
	job->ops = im->ops;
	job->image = im;
	memcpy(job->digest, im->wanted, sizeof(job->digest));
	snprintf(job->path, sizeof(job->path), "%s", path);
	forget_job(im);
	im->job = job;
	int err = uv_queue_work(im->loop, &job->work, on_open_work, on_opened);
	if (err) {
		im->job = NULL;
		free(job);
	}
	return err;
}

static void on_blob(void *arg, int status, const char *path)
{
	struct policy_image *im = arg;

	if (status == -ECANCELED)
		return;
	if (!status && !strstr(path, im->wanted))
		return; /* an older one that came late */
	int err = status ? status : open_later(im, path);
	if (err)
		not_loaded(im, err);
}

static void fetch(struct policy_image *im)
{
	timer_stop(&im->retry);
	/* One that was asked for before and never came would be asked for for ever. */
	bus_blob_forget(im->policy->bus, on_blob, im);
	if (bus_blob_get(im->policy->bus, im->wanted, on_blob, im)) {
		log_error("%s cannot be fetched blob=%s", im->ops->name, im->wanted);
		retry_later(im);
	}
}

static bool is_wanted(const struct policy_image *im)
{
	return strcmp(im->wanted, im->mapped) != 0;
}

static void on_retry(struct timer *t)
{
	struct policy_image *im = t->data;

	if (is_wanted(im))
		fetch(im);
}

int policy_image_init(struct policy_image *im, uv_loop_t *loop)
{
	im->loop = loop;
	im->retry_ms = RETRY_MIN_MS;
	return timer_init(loop, &im->retry, on_retry, im);
}

void policy_image_close(struct policy_image *im, void (*on_closed)(struct timer *t))
{
	forget_job(im);
	timer_close(&im->retry, on_closed);
}

void policy_image_want(struct policy_image *im, const char *digest)
{
	snprintf(im->wanted, sizeof(im->wanted), "%s", digest);
}

void policy_image_settle(struct policy_image *im, uint64_t gen)
{
	im->gen = gen;
	/* Applied is reported once the image is mapped. */
	if (is_wanted(im)) {
		fetch(im);
		return;
	}
	im->in_force = gen;
	policy_changed(im->policy, im->ops->topic, BUS_SYNCD, gen);
}
