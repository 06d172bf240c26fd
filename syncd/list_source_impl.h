/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/list_source.h"
#include "syncd/list_take.h"

/* What the parts of list_source.h share: the source, watching its file, counting what it holds. */

/* A file is read when nothing happened to it for so long. */
#define LIST_TOUCH_QUIET_MS 100

/* Its name below lists_dir; NULL: it is no file. */
const char *list_source_file(const struct list_source *s);
/* It is fetched after that. */
void list_source_schedule(struct list_source *s, int64_t delay_ms);
/* The last one frees it. */
void list_source_unref(struct list_source *s);
/* Takes it in on the work pool; res: what was downloaded, whose body is taken over, or NULL. */
void list_source_take(struct list_source *s, enum list_take_from from, struct list_url_result *res);
/* Digest of the kept text that is to be in use, unless the source has another one; "" = none. */
const char *list_source_wanted(const struct list_source *s);
/* Is another one in use? */
bool list_source_is_astray(const struct list_source *s);
/* A kept text could not be taken in. True: it is lost, and the list held at it no more; false: it
 * is to be tried again. */
bool list_source_lose(struct list_source *s, const struct list_take *t);
/* A text came into use. */
void list_source_note_past(struct list_source *s);
/* Watches the directory, so that files that are replaced or made are seen. Idempotent. */
void list_source_watch(struct list_source *s);
void list_source_unwatch(struct list_source *s);
/* What is in use now, in the log. */
void list_source_log(const struct list_source *s);
/* Counts what is repeated in it: takes a while, and nothing waits for it. */
void list_source_count(struct list_source *s);
