/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "syncd/list_source.h"

/*
 * All lists: which there are (the topic list_sources), their bit numbers, and the domain set
 * compiled from their last good versions on the work pool. Knows nothing of the bus: who opens it
 * publishes.
 */
struct lists_ops {
	/* A new image of all lists; id of each bit ("" = none). Answer with lists_published once
	 * consumers can have it. The image is valid until then. */
	void (*on_image)(void *arg, const struct buf *image, uint64_t count,
		const char *const ids[LIST_BITS]);
	/* What the topic `lists` should hold may have changed. */
	void (*on_records)(void *arg);
	void (*on_alarm)(void *arg, const char *id, const char *detail);
};

struct lists {
	struct list_env env;
	struct list_store store;
	const struct lists_ops *ops;
	void *arg;
	struct hmap sources;   /* id → struct list_source */
	struct timer soon;     /* gathers changes */
	struct timer patience; /* the first compile waits for slow sources, not for ever */
	bool known;	       /* which lists there are */
	bool patient;	       /* before the first compile */
	bool compile_due, save_due, busy, publishing, closing;
	struct buf image;
	char digest[65];		/* of the image published last, "" = none since start */
	bool published_bits[LIST_BITS]; /* in the published set */
};

/* env: all but on_change, on_alarm, arg, key and texts_dir filled. 0 or -errno (logged). */
int lists_open(struct lists *l, const struct list_env *env, const char *state_dir,
	const char *cache_dir, const struct lists_ops *ops, void *arg);
/* Closes handles; the memory is the owner's until the loop has ended, then lists_fini. */
void lists_close(struct lists *l);
void lists_fini(struct lists *l);

/* One source is there, or another. rec NULL: gone. */
void lists_set(struct lists *l, const char *id, const struct rec_list_source *rec);
/* lists_set was called for all there are. */
void lists_set_end(struct lists *l);
/* The image of on_image is with the consumers (0), or could not be given to them: it comes again.
 */
void lists_published(struct lists *l, int status);
struct list_source *lists_find(const struct lists *l, const char *id);
/* Is everything that was told to this component in force? */
bool lists_is_idle(const struct lists *l);
/* Fetches one list, or all with id NULL; how many. */
size_t lists_fetch(struct lists *l, const char *id);
/* The contents of the lists in force and their ids, by bit; NULL and "" = none. Valid until the
 * next turn of the loop. */
void lists_contents(const struct lists *l, struct list_content *contents[LIST_BITS],
	const char *ids[LIST_BITS]);
/* The record of one list for the topic; NULL without memory. */
cJSON *lists_record(const struct lists *l, const struct list_source *s);
