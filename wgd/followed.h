/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "common/list.h"
#include "wgd/kfile.h"

/*
 * What a followed file has led to so far, kept in the state directory, so that a device that leaves
 * the file while nobody looks is noticed, and one that somebody else made is left alone.
 */
#define FOLLOWED_FILE	 "followed.json"
#define FOLLOWED_SUM_LEN 64

enum followed_need { FOLLOWED_NOTHING, FOLLOWED_UPSERT, FOLLOWED_REMOVE };

struct followed {
	char id[65];
	bool made; /* by following or importing: it may be removed when it leaves the file */
	char sum[FOLLOWED_SUM_LEN + 1]; /* of what apid has confirmed; "" = not known */
	/* Not kept on disk; see follow.c. */
	enum followed_need need;
	bool in_flight, refused;
	struct list node;	  /* in one of the queues, or alone */
	struct kfile_peer wanted; /* FOLLOWED_UPSERT */
};

/* id → struct followed. -errno; -EBADMSG when the file is none of ours; no file is an empty map.
 * The map is initialised in any case. */
int followed_read(const char *state_dir, struct hmap *out);
int followed_write(const char *state_dir, const struct hmap *map);
/* The entry of that id, made when there is none; NULL without memory. */
struct followed *followed_get(struct hmap *map, const char *id);
/* Adds the peers to the file: made, nothing confirmed. A file that cannot be read is replaced. */
int followed_note(const char *state_dir, const struct kfile *file);
/* Tells two states of a device apart. */
void followed_sum(
	const char *tunnel, const struct kfile_peer *p, char out[static FOLLOWED_SUM_LEN + 1]);
