/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/policy/policy_image.h"
#include "common/log.h"
#include "common/policy/store.h"
#include <errno.h>
#include <string.h>

enum { RETRY_MIN_MS = 500, RETRY_MAX_MS = 60000 };

/* No room on the disk, or no memory: that may pass. */
static void retry_later(struct policy_image *im)
{
	timer_start(&im->retry, im->retry_ms, 0);
	im->retry_ms = im->retry_ms * 2 < RETRY_MAX_MS ? im->retry_ms * 2 : RETRY_MAX_MS;
}

/* The image is here and verified: swap it in. A bad one leaves the last good in force. */
static void on_blob(void *arg, int status, const char *path)
{
	struct policy_image *im = arg;
	int err = status;

	if (status == -ECANCELED)
		return;
	if (!err && !strstr(path, im->wanted))
		return; /* an older one that came late */
	if (!err)
		err = im->load(im->policy, path);
	if (err) {
		log_error("%s not loaded, the last good stays blob=%s error=%s", im->name,
			im->wanted, strerror(-err));
		retry_later(im);
		return;
	}
	memcpy(im->mapped, im->wanted, sizeof(im->mapped));
	im->in_force = im->gen;
	im->retry_ms = RETRY_MIN_MS;
	timer_stop(&im->retry);
	log_info("%s in force blob=%.12s", im->name, im->mapped);
	policy_changed(im->policy, im->topic, BUS_SYNCD, im->gen);
}

static void fetch(struct policy_image *im)
{
	timer_stop(&im->retry);
	/* One that was asked for before and never came would be asked for for ever. */
	bus_blob_forget(im->policy->bus, on_blob, im);
	if (bus_blob_get(im->policy->bus, im->wanted, on_blob, im)) {
		log_error("%s cannot be fetched blob=%s", im->name, im->wanted);
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
	im->retry_ms = RETRY_MIN_MS;
	return timer_init(loop, &im->retry, on_retry, im);
}

void policy_image_close(struct policy_image *im, void (*on_closed)(struct timer *t))
{
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
	policy_changed(im->policy, im->topic, BUS_SYNCD, gen);
}
