/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "common/list.h"
#include "syncd/list_source.h"

/*
 * All lists: which there are (the topic list_sources), their bit numbers, and the domain set
 * compiled from their last good versions on the work pool. Knows nothing of the bus: who opens it
 * publishes.
 */
struct lists_ops {
	/* A new image of all lists. Answer with lists_published once consumers can have it. The
	 * image is valid until then. */
	void (*on_image)(void *arg, const struct buf *image, const struct list_version *version);
	/* Lists have changed, but the image of all is the one that was published last. */
	void (*on_same)(void *arg);
	/* What the topic `lists` should hold may have changed. */
	void (*on_records)(void *arg);
	void (*on_alarm)(void *arg, const char *what, const char *detail);
};

/* Who waits until what was changed is on the disk: err 0, or why it is not (yet). */
struct lists_wait {
	struct list node;
	void (*on_saved)(struct lists_wait *w, int err);
};

struct lists {
	struct list_env env;
	struct list_store store;
	const struct lists_ops *ops;
	void *arg;
	struct hmap sources;   /* id → struct list_source */
	struct timer soon;     /* gathers changes */
	struct timer patience; /* the first compile waits for slow sources, not for ever */
	struct timer again;    /* a refused set is tried again */
	bool known;	       /* which lists there are */
	bool patient;	       /* before the first compile */
	bool told_empty;       /* that not one list could be loaded */
	bool compile_due, save_due, publishing, closing;
	bool saving, busy;   /* the state is being written; a set is being compiled */
	struct list waiting; /* for a save that has not begun */
	struct list awaited; /* the one under way */
	struct buf image;
	struct list_version published; /* last; digest "" = none since start */
	char staged[LIST_BITS][65];    /* digests of the texts in it */
	char refused[65];	       /* of the image that consumers could not load, "" = none */
	unsigned refusals;	       /* of it, in a row */
	uint64_t again_ms;	       /* first pause after a refusal */
	uint64_t retry_ms;	       /* pause after what could not be written or published */
	int save_err;		       /* of the state file, 0 = it is written */
	struct list_compile *last;     /* what is to be written at the end; NULL = nothing */
};

/* again_ms: pause before a refused set is tried again, doubled each time. env: all but on_change,
 * on_alarm, arg, key and texts_dir filled. 0 or -errno (logged). */
int lists_open(struct lists *l, const struct list_env *env, const char *state_dir,
	const char *cache_dir, uint64_t again_ms, const struct lists_ops *ops, void *arg);
/* Writes what is not written yet, after a job that runs, and closes handles; the memory is the
 * owner's until the loop has ended, then lists_fini. */
void lists_close(struct lists *l);
void lists_fini(struct lists *l);

/* One source is there, or another. rec NULL: gone. -ENOMEM: it is as it was. */
int lists_set(struct lists *l, const char *id, const struct rec_list_source *rec);
/* The text of one of Directus' lists, which comes into being with it where it is not there; rec's
 * source says so. Takes over text (malloc'ed). -ENOMEM: it is as it was, and text freed. */
int lists_give(struct lists *l, const struct rec_list_source *rec, uint8_t *text, size_t len);
/* Calls on_id for each list that an earlier run had from Directus. */
void lists_each_directus(
	const struct lists *l, void (*on_id)(void *arg, const char *id), void *arg);
/* Calls w->on_saved once all that was changed up to now is on the disk, or could not be written: it
 * is tried again then, and nothing of it is in force before. w is the caller's until then. */
void lists_await_saved(struct lists *l, struct lists_wait *w);
/* lists_set was called for all there are. */
void lists_set_end(struct lists *l);
/* The image of on_image is with the consumers (0), or could not be given to them: it comes again.
 */
void lists_published(struct lists *l, int status);
/* The version is in force at all consumers. */
void lists_in_force(struct lists *l, const struct list_version *v);
/* They could not load what was published last: `good` is published instead. The other comes again
 * later, a changed one at once. */
void lists_refused(struct lists *l, const struct list_version *good);
struct list_source *lists_find(const struct lists *l, const char *id);
/* Is everything that was told to this component in force? */
bool lists_is_idle(const struct lists *l);
/* Fetches one list, or all with id NULL, but those that are held at a version; how many. */
size_t lists_fetch(struct lists *l, const char *id);
/* The contents of the lists in force and their ids, by bit; NULL and "" = none. Valid until the
 * next turn of the loop. */
void lists_contents(const struct lists *l, struct list_content *contents[LIST_BITS],
	const char *ids[LIST_BITS]);
/* The record of one list for the topic; NULL without memory. */
cJSON *lists_record(const struct lists *l, const struct list_source *s);
