/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "wgd/followed.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * Is a file whole? Who writes it in place may be anywhere in it, and half of it may be a good one.
 * It counts as whole when it was read twice, REST_MS apart, with the same text and the same stamp:
 * whoever writes it has done nothing meanwhile, however long we stood still ourselves. Who pauses
 * for longer has to write aside and rename. Pure.
 */
#define REST_MS	    200
#define REST_MAX_MS 5000

struct rest {
	struct stat st;			/* at the first reading */
	char sum[FOLLOWED_SUM_LEN + 1]; /* "" = none */
	uint64_t since;			/* monotonic ms: end of the first reading */
	uint64_t
		restless_since; /* monotonic ms of the reading since which none was whole; 0 = is */
	bool is_whole;
};

/* A reading: the file's stat before it, the text's digest, monotonic ms of its begin and end. Is it
 * whole? Once it is, every reading of the same is. */
bool rest_take(struct rest *r, const struct stat *st, const char *sum, uint64_t begun_at,
	uint64_t ended_at);
/* Is it the same file, unchanged as far as its stamp says? */
bool rest_has_same_stamp(const struct stat *a, const struct stat *b);
/* Has it not been whole for so long that nobody can mean it to be? */
bool rest_is_endless(const struct rest *r, uint64_t now);
/* It could not be read. */
void rest_forget(struct rest *r);
