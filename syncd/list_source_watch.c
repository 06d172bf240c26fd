/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/list_source_impl.h"
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#define TOUCH_LONGEST_MS 500 /* a file is read when it is being touched for so long */

const char *list_source_file(const struct list_source *s)
{
	return strncmp(s->rec.source, "file:", 5) ? NULL : s->rec.source + 5;
}

void list_source_schedule(struct list_source *s, int64_t delay_ms)
{
	if (!s->closing)
		timer_start(&s->timer, delay_ms < 0 ? 0 : (uint64_t)delay_ms, 0);
}

/* Path of the file, and where its own name begins in it. */
static char *file_path(const struct list_source *s, char path[static 4096])
{
	const char *name = list_source_file(s);

	if (!name || snprintf(path, 4096, "%s/%s", s->env->lists_dir, name) >= 4096)
		return NULL;
	return strrchr(path, '/') + 1;
}

void list_source_unwatch(struct list_source *s)
{
	uv_fs_event_stop(&s->watch);
	s->watching = false;
}

static void on_watch(uv_fs_event_t *handle, const char *filename, int events, int status)
{
	struct list_source *s = handle->data;
	char path[4096];
	const char *name = file_path(s, path);
	uint64_t now = clock_mono_ms();

	(void)events;
	if (!name || status)
		return;
	if (filename && strcmp(filename, name)) {
		/* An event with the directory's own name: it went away. */
		if (!strcmp(filename, basename(dirname(path)))) {
			list_source_unwatch(s);
			list_source_schedule(s, LIST_TOUCH_QUIET_MS);
		}
		return;
	}
	if (!s->touched_at)
		s->touched_at = now;
	if (now - s->touched_at < TOUCH_LONGEST_MS)
		list_source_schedule(s, LIST_TOUCH_QUIET_MS);
}

/* Watches the directory, so that files that are replaced or made are seen. */
void list_source_watch(struct list_source *s)
{
	char path[4096];

	if (s->watching || !file_path(s, path))
		return;
	s->watching = !uv_fs_event_start(&s->watch, on_watch, dirname(path), 0);
}
