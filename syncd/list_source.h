/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"
#include "common/timer.h"
#include "syncd/list_content.h"
#include "syncd/list_file.h"
#include "syncd/list_store.h"
#include "syncd/list_url.h"

/*
 * One list: where it comes from, its last good version, when it is looked for again. A step at a
 * time: from the cache at start, then from the source whenever the timer, a change of the file or
 * the admin says so. What fails leaves the last good version in force and says why in `error`.
 */
struct list_source;

#define LIST_SOURCE_DIRECTUS "directus:"

/* What all lists share; outlives them. */
struct list_env {
	uv_loop_t *loop;
	const char *lists_dir, *texts_dir;
	struct list_url_env url;
	uint8_t key[16];
	unsigned fetching; /* downloads under way */
	/* The record in the topic may be another one; content: the rules are. */
	void (*on_change)(void *arg, struct list_source *s, bool content);
	/* A new failure; detail is s->error. */
	void (*on_alarm)(void *arg, struct list_source *s);
	void *arg;
};

struct list_source {
	struct list_env *env;
	struct rec_list_source rec; /* own copy */
	struct list_kept kept;
	struct list_content *content; /* NULL = no good version yet */
	char *error;		      /* NULL = the last attempt was good */
	unsigned failures;	      /* in a row */
	int64_t tried_at;	      /* epoch ms of the last attempt, 0 = none since start */
	bool tried;		      /* the first attempt has ended, or there is content */
	int bit;		      /* -1 = none */
	/* private */
	struct list_file_stamp stamp;
	unsigned kept_failures; /* of reading what is kept, in a row */
	struct timer timer;
	uv_fs_event_t watch;
	bool watching;
	uint64_t alarmed_at; /* monotonic ms */
	uint64_t touched_at; /* monotonic ms of the first event not yet followed, 0 = none */
	bool busy, again, accept_shrunk, closing;
	struct list_url *url;
	uint8_t *given; /* text not taken in yet; NULL = none */
	size_t given_len;
	unsigned refs; /* handles and jobs */
};

/* Copies rec, takes over kept's memory (*kept is empty then). NULL without memory. Nothing moves
 * before list_source_start. */
struct list_source *list_source_new(
	struct list_env *env, const struct rec_list_source *rec, struct list_kept *kept);
void list_source_start(struct list_source *s);
/* The record is another one now. -ENOMEM. */
int list_source_set(struct list_source *s, const struct rec_list_source *rec);
/* Looks at the source now; accept_shrunk: an admin asks, the shrink guard is silent this once. */
void list_source_fetch(struct list_source *s, bool accept_shrunk);
/* For a source "directus:NAME", which is never fetched: its text, whole for certain (no shrink
 * guard). Takes over text (malloc'ed). */
void list_source_give(struct list_source *s, uint8_t *text, size_t len);
/*
 * Back to a version that is kept, NULL: the one before that in use. It is held there, also over a
 * restart, and not looked for at its source until it is released, or has another source. -ENOENT:
 * no such version. A text that turns out to be lost is an error of the list, which then follows
 * its source.
 */
int list_source_pin(struct list_source *s, const char *version);
/* -ENOENT: it is not held. */
int list_source_release(struct list_source *s);
bool list_source_is_pinned(const struct list_source *s);
bool list_source_is_directus(const struct list_source *s);
/* Frees itself when handles and jobs have ended. */
void list_source_close(struct list_source *s);
