/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/rest.h"
#include <stdio.h>
#include <string.h>

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool rest_has_same_stamp(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       is_same_time(&a->st_mtim, &b->st_mtim) && is_same_time(&a->st_ctim, &b->st_ctim);
}

bool rest_take(struct rest *r, const struct stat *st, const char *sum, uint64_t begun_at,
	uint64_t ended_at)
{
	bool same = !strcmp(sum, r->sum) && rest_has_same_stamp(st, &r->st);

	if (!same) {
		r->st = *st;
		snprintf(r->sum, sizeof(r->sum), "%s", sum);
		r->since = ended_at;
		r->is_whole = false;
	} else if (begun_at >= r->since + REST_MS) {
		r->is_whole = true;
	}
	if (r->is_whole)
		r->restless_since = 0;
	else if (!r->restless_since)
		r->restless_since = ended_at;
	return r->is_whole;
}

bool rest_is_endless(const struct rest *r, uint64_t now)
{
	return r->restless_since && now >= r->restless_since + REST_MAX_MS;
}

void rest_forget(struct rest *r)
{
	*r = (struct rest){ 0 };
}
