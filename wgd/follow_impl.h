/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/list.h"
#include "common/timer.h"
#include "wgd/follow.h"
#include "wgd/followed.h"
#include "wgd/rest.h"

/* Inside of following; for follow*.c only. */
enum follow_state {
	FOLLOW_WAITING, /* not read yet */
	FOLLOW_GOOD,
	FOLLOW_BROKEN, /* missing or wrong: what is in force stays */
	FOLLOW_HELD,   /* lost too much to be believed at once */
};

struct follow {
	struct follow_options o;
	uv_loop_t *loop;
	struct bus *bus;
	enum follow_state state;
	char dir[4096], name[256]; /* of the path */
	uv_fs_event_t events;
	uint64_t dir_inode, dir_device; /* of the directory that is watched */
	uint64_t changing_since;	/* monotonic ms: first event that soon runs for */
	bool events_open, events_active;
	struct timer soon;  /* gathers what an event announces; is the file whole? */
	struct timer every; /* 30 s */
	struct timer held;  /* then the file is believed */
	struct timer save;
	struct timer retry;
	bool closing;
	bool forced;	  /* look even if the file's stamp is the same */
	struct stat st;	  /* at the last look */
	struct rest rest; /* of what is in it now */
	unsigned line;
	char why[224]; /* of FOLLOW_BROKEN */
	char held_sum[FOLLOWED_SUM_LEN + 1];
	uint64_t held_since;
	struct hmap devices;	 /* id → struct followed */
	size_t in_file;		 /* devices of the last good file */
	size_t pending, refused; /* that need something; of them refused at the last try */
	size_t removing;	 /* of pending: removals */
	struct list removals_due, upserts_due, later; /* rings of struct followed */
	size_t in_flight;
	bool paused;   /* until the retry */
	bool progress; /* something was confirmed since the last retry */
	uint64_t retry_ms;
	uint64_t upserts, removals, failures; /* requests that were confirmed; that were not */
};

/* follow_apply.c: makes the devices as the file has them. -EAGAIN when the bus is not current yet,
 * -errno; nothing has changed then. */
int follow_apply(struct follow *f, const struct kfile *file);
/* Makes the requests that are due. */
void follow_pump(struct follow *f);
/* Would the file remove so much that it is to be held? */
bool follow_shrinks(const struct follow *f, const struct kfile *file);
void follow_alarm(struct follow *f, const char *what, const char *detail);
void follow_on_save(struct timer *t);
void follow_on_retry(struct timer *t);
