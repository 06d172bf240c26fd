/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/usage_file.h"

#include "common/log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DEBOUNCE_MS = 10000, SOON_MS = 100, FILE_MAX = 64 << 20 };

static int write_image(struct usage_file *f)
{
	int err = f->image.failed;
	if (!err)
		err = file_write_atomic(f->fresh, f->image.data, f->image.len, 0600);
	/* Only a whole new file moves the old ones. */
	if (!err && rename(f->path, f->before) && errno != ENOENT)
		err = -errno;
	if (!err && rename(f->fresh, f->path))
		err = -errno;
	if (err)
		remove(f->fresh);
	return err;
}

static void make_image(struct usage_file *f)
{
	buf_init(&f->image, FILE_MAX);
	usage_format(f->usage, &f->image);
	f->usage->changed = false;
}

static void end_write(struct usage_file *f, int err)
{
	buf_fini(&f->image);
	if (err)
		f->usage->changed = true;
	if (err && err != f->error)
		log_error("usage not written, counting goes on path=%s error=%s", f->path,
			strerror(-err));
	else if (!err && f->error)
		log_notice("usage written again path=%s", f->path);
	f->error = err;
}

static void write_now(struct usage_file *f)
{
	if (!f->usage->changed)
		return;
	make_image(f);
	end_write(f, write_image(f));
}

static void on_work(uv_work_t *work)
{
	struct usage_file *f = work->data;
	f->written = write_image(f);
}

static void on_written(uv_work_t *work, int status)
{
	struct usage_file *f = work->data;
	f->busy = false;
	end_write(f, status ? status : f->written);
	if (f->closing)
		write_now(f);
	else
		usage_file_touch(f, false);
}

static void on_debounce(struct timer *t)
{
	struct usage_file *f = t->data;
	if (f->busy || f->closing || !f->usage->changed)
		return;
	make_image(f);
	f->work.data = f;
	f->busy = true;
	int err = uv_queue_work(f->loop, &f->work, on_work, on_written);
	if (err) {
		f->busy = false;
		end_write(f, err);
	}
}

int usage_file_open(struct usage_file *f, uv_loop_t *loop, const char *dir, struct usage *u)
{
	*f = (struct usage_file){ .usage = u, .loop = loop };
	int err = timer_init(loop, &f->debounce, on_debounce, f);
	if (snprintf(f->path, sizeof(f->path), "%s/usage", dir) >= (int)sizeof(f->path) ||
		snprintf(f->before, sizeof(f->before), "%s/usage.1", dir) >=
			(int)sizeof(f->before) ||
		snprintf(f->fresh, sizeof(f->fresh), "%s/usage.new", dir) >= (int)sizeof(f->fresh))
		return -ENAMETOOLONG;
	return err;
}

static int load(struct usage_file *f, const char *path)
{
	struct buf text;
	buf_init(&text, FILE_MAX);
	int err = buf_read_file(&text, path);
	if (!err)
		err = usage_parse(f->usage, text.data, text.len);
	if (err && err != -ENOENT)
		log_error("usage not read path=%s error=%s", path,
			err == -EBADMSG ? "the file is corrupt" : strerror(-err));
	buf_fini(&text);
	return err;
}

int usage_file_load(struct usage_file *f)
{
	if (!load(f, f->path))
		return 0;
	if (load(f, f->before))
		return -ENOENT;
	log_notice("usage taken from the file before path=%s", f->before);
	f->usage->changed = true;
	return 0;
}

void usage_file_touch(struct usage_file *f, bool soon)
{
	uint64_t delay = soon ? SOON_MS : DEBOUNCE_MS, due = clock_mono_ms() + delay;
	if (!f->usage->changed || f->busy || f->closing ||
		(timer_is_active(&f->debounce) && f->due_at <= due))
		return;
	f->due_at = due;
	timer_start(&f->debounce, delay, 0);
}

void usage_file_close(struct usage_file *f)
{
	f->closing = true;
	timer_close(&f->debounce, NULL);
	if (!f->busy)
		write_now(f);
}
