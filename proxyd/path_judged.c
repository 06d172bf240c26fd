/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/path_judged.h"
#include "common/buf.h"
#include "common/log.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start(struct path_judged *j);

static void on_work(uv_work_t *work)
{
	struct path_judged *j = work->data;
	char text[32];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", j->in_work);
	int err = file_write_atomic(j->path, text, (size_t)len, 0600);

	if (err)
		log_warning("not written path=%s error=%s", j->path, strerror(-err));
	else
		j->on_disk = j->in_work;
}

static void on_worked(uv_work_t *work, int status)
{
	struct path_judged *j = work->data;

	(void)status;
	j->is_running = false;
	if (j->stamp != j->in_work)
		start(j);
}

static void start(struct path_judged *j)
{
	j->in_work = j->stamp;
	j->is_running = !uv_queue_work(j->loop, &j->work, on_work, on_worked);
}

void path_judged_init(struct path_judged *j, uv_loop_t *loop, const char *state_dir)
{
	*j = (struct path_judged){ .loop = loop, .work.data = j };
	snprintf(j->path, sizeof(j->path), "%s/judged", state_dir);
	FILE *f = fopen(j->path, "re");
	if (!f)
		return;
	char text[32] = "";
	if (fgets(text, sizeof(text), f))
		j->found = j->stamp = j->on_disk = strtoull(text, NULL, 10);
	fclose(f);
}

void path_judged_set(struct path_judged *j, uint64_t stamp)
{
	j->stamp = stamp;
	if (!j->is_running && stamp != j->on_disk)
		start(j);
}
