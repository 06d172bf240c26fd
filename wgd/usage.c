/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/usage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_MS	      INT64_C(86400000)
#define BEHIND_MS     3600000 /* how long a clock must stay far behind until it is believed */
#define AHEAD_MS      10000 /* a quota that would be passed within this time is looked at sooner */
#define MONDAY_OFFSET 3	    /* 1970-01-01 was a Thursday */

void usage_init(struct usage *u, const struct usage_ops *ops, void *arg)
{
	*u = (struct usage){ .period = QUOTA_PERIOD_MONTH, .ops = ops, .arg = arg };
	hmap_init(&u->by_id, free);
	usage_begin_reading(u);
}

void usage_fini(struct usage *u)
{
	hmap_fini(&u->by_id);
}

static bool is_limited(const struct usage_count *c)
{
	return c->quota > 0 && !c->over;
}

static struct usage_count *get_count(struct usage *u, const char *id)
{
	struct usage_count *c = hmap_find_str(&u->by_id, id);
	if (c || strlen(id) > USAGE_ID_MAX)
		return c;
	c = calloc(1, sizeof(*c));
	if (c && hmap_set_str(&u->by_id, id, c)) {
		free(c);
		return NULL;
	}
	return c;
}

static void judge(struct usage *u, const char *id, struct usage_count *c)
{
	bool over = c->quota > 0 && c->used >= (uint64_t)c->quota;
	if (over == c->over)
		return;
	c->over = over;
	u->over += over ? 1 : (size_t)-1;
	u->changed = true;
	u->ops->on_flip(u->arg, id, over, c->used);
}

/* limited follows quota and over. */
static void rejudge(struct usage *u, const char *id, struct usage_count *c, bool was_limited)
{
	judge(u, id, c);
	u->limited += (size_t)is_limited(c) - (size_t)was_limited;
}

int64_t usage_period_start(enum quota_period period, int64_t now_ms)
{
	int64_t day = now_ms / DAY_MS - (now_ms % DAY_MS < 0);
	struct tm tm;
	time_t seconds = (time_t)(day * (DAY_MS / 1000));

	switch (period) {
	case QUOTA_PERIOD_DAY:
		return day * DAY_MS;
	case QUOTA_PERIOD_WEEK:
		return (day - ((day + MONDAY_OFFSET) % 7 + 7) % 7) * DAY_MS;
	case QUOTA_PERIOD_MONTH:
		if (!gmtime_r(&seconds, &tm))
			return 0;
		return (day - (tm.tm_mday - 1)) * DAY_MS;
	case QUOTA_PERIOD_NEVER:
	case QUOTA_PERIODS:
		break;
	}
	return 0;
}

static int64_t period_length(enum quota_period period)
{
	switch (period) {
	case QUOTA_PERIOD_DAY:
		return DAY_MS;
	case QUOTA_PERIOD_WEEK:
		return 7 * DAY_MS;
	case QUOTA_PERIOD_MONTH:
	case QUOTA_PERIOD_NEVER:
	case QUOTA_PERIODS:
		break;
	}
	return 31 * DAY_MS;
}

void usage_set_period(struct usage *u, enum quota_period period)
{
	u->period = period;
}

static void set_since(struct usage *u, int64_t since)
{
	u->since = since;
	u->has_since = true;
	u->changed = true;
}

static void begin_period(struct usage *u, int64_t since)
{
	set_since(u, since);
	hmap_foreach (&u->by_id, it) {
		struct usage_count *c = it.value;
		bool was = is_limited(c);
		c->used = 0;
		rejudge(u, it.key, c, was);
	}
}

bool usage_advance(struct usage *u, int64_t now_ms, uint64_t mono_ms)
{
	int64_t start = usage_period_start(u->period, now_ms);
	if (!u->has_since) {
		set_since(u, start);
		return false;
	}
	if (start > u->since) {
		u->behind_at = 0;
		begin_period(u, start);
		return true;
	}
	if (u->since - now_ms <= period_length(u->period))
		u->behind_at = 0;
	else if (!u->behind_at)
		u->behind_at = mono_ms;
	else if (mono_ms - u->behind_at >= BEHIND_MS)
		set_since(u, start);
	return false;
}

int usage_set_quota(struct usage *u, const char *id, int64_t quota_bytes)
{
	struct usage_count *c = hmap_find_str(&u->by_id, id);
	if (!c && quota_bytes <= 0)
		return 0;
	c = get_count(u, id);
	if (!c)
		return -ENOMEM;
	bool was = is_limited(c);
	c->quota = quota_bytes > 0 ? quota_bytes : 0;
	rejudge(u, id, c, was);
	return 0;
}

void usage_remove(struct usage *u, const char *id)
{
	if (usage_set_quota(u, id, 0))
		return;
	u->changed |= hmap_remove_str(&u->by_id, id);
}

void usage_prune(struct usage *u, bool (*is_there)(void *arg, const char *id), void *arg)
{
	hmap_foreach (&u->by_id, it) {
		struct usage_count *c = it.value;
		if (is_there(arg, it.key))
			continue;
		bool was = is_limited(c);
		c->quota = 0;
		rejudge(u, it.key, c, was);
		hmap_remove(&u->by_id, it.key, it.len);
	}
}

void usage_begin_reading(struct usage *u)
{
	u->due_ms = u->limited ? USAGE_READ_QUOTA_MS : UINT64_MAX;
}

/* When, at this rate, half of what is left will be gone. */
static void plan(struct usage *u, const struct usage_count *c, uint64_t bytes, uint64_t span_ms)
{
	if (!is_limited(c) || !bytes || !span_ms)
		return;
	double left_ms = (double)((uint64_t)c->quota - c->used) * (double)span_ms / (double)bytes;
	if (left_ms > AHEAD_MS)
		return;
	uint64_t due = (uint64_t)(left_ms / 2);
	if (due < USAGE_READ_MIN_MS)
		due = USAGE_READ_MIN_MS;
	if (due < u->due_ms)
		u->due_ms = due;
}

int usage_take_over(
	struct usage *u, const char *id, uint64_t origin, uint64_t rx_bytes, uint64_t tx_bytes)
{
	struct usage_count *c = get_count(u, id);
	if (!c)
		return -ENOMEM;
	c->rx = rx_bytes;
	c->tx = tx_bytes;
	c->origin = origin;
	u->changed = true;
	return 0;
}

int usage_read(struct usage *u, const char *id, uint64_t origin, uint64_t rx_bytes,
	uint64_t tx_bytes, uint64_t mono_ms, bool skip)
{
	struct usage_count *c = get_count(u, id);
	if (!c)
		return -ENOMEM;
	bool same = c->origin == origin, was = is_limited(c);
	uint64_t rx = same && rx_bytes >= c->rx ? rx_bytes - c->rx : rx_bytes;
	uint64_t tx = same && tx_bytes >= c->tx ? tx_bytes - c->tx : tx_bytes;
	uint64_t bytes = skip && !c->origin ? 0 : rx + tx;
	uint64_t span_ms = c->read_at ? mono_ms - c->read_at : 0;
	/* Idle time before does not make the rate lower. */
	if (span_ms > AHEAD_MS)
		span_ms = AHEAD_MS;
	u->changed |= bytes || !same;
	c->used = c->used + bytes < c->used ? UINT64_MAX : c->used + bytes;
	c->rx = rx_bytes;
	c->tx = tx_bytes;
	c->origin = origin;
	c->read_at = mono_ms;
	rejudge(u, id, c, was);
	plan(u, c, bytes, span_ms);
	return 0;
}

uint64_t usage_get(const struct usage *u, const char *id, bool *over)
{
	const struct usage_count *c = hmap_find_str(&u->by_id, id);
	if (over)
		*over = c && c->over;
	return c ? c->used : 0;
}

void usage_each_over(const struct usage *u,
	void (*on_device)(void *arg, const char *id, uint64_t used_bytes), void *arg)
{
	hmap_foreach (&u->by_id, it) {
		const struct usage_count *c = it.value;
		if (c->over)
			on_device(arg, it.key, c->used);
	}
}
