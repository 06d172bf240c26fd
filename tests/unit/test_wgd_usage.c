/* SPDX-License-Identifier: GPL-3.0-or-later */
/* W7: byte quotas with a clock of the test's own. */
#include "wgd/usage.h"

#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

#define DAY INT64_C(86400000)
/* 2026-03-11, a Wednesday, 12:00 UTC. */
#define NOON (INT64_C(1773230400000))
#define HOUR INT64_C(3600000)

struct world {
	struct usage usage;
	char flips[256]; /* "+a -b " */
};

static void on_flip(void *arg, const char *id, bool over, uint64_t used_bytes)
{
	struct world *w = arg;
	size_t len = strlen(w->flips);
	(void)used_bytes;
	snprintf(w->flips + len, sizeof(w->flips) - len, "%c%s ", over ? '+' : '-', id);
}

static const struct usage_ops ops = { on_flip };

static void world_init(struct world *w)
{
	*w = (struct world){ 0 };
	usage_init(&w->usage, &ops, w);
	usage_set_period(&w->usage, QUOTA_PERIOD_DAY);
	usage_advance(&w->usage, NOON, 1000);
}

static void test_periods_begin_at_midnight_utc_on_mondays_and_firsts(void)
{
	INT_IS(usage_period_start(QUOTA_PERIOD_DAY, NOON), NOON - 12 * HOUR);
	INT_IS(usage_period_start(QUOTA_PERIOD_WEEK, NOON), NOON - 12 * HOUR - 2 * DAY);
	INT_IS(usage_period_start(QUOTA_PERIOD_MONTH, NOON), NOON - 12 * HOUR - 10 * DAY);
	INT_IS(usage_period_start(QUOTA_PERIOD_NEVER, NOON), 0);
	INT_IS(usage_period_start(QUOTA_PERIOD_DAY, -1), -DAY);
	INT_IS(usage_period_start(QUOTA_PERIOD_WEEK, 4 * DAY), 4 * DAY);
	INT_IS(usage_period_start(QUOTA_PERIOD_WEEK, 4 * DAY - 1), -3 * DAY);
}

static void test_both_directions_count_and_the_quota_is_reported_once(void)
{
	struct world w;
	world_init(&w);
	usage_set_quota(&w.usage, "a", 1000);
	usage_read(&w.usage, "a", 7, 300, 300, 1000, false);
	STR_IS(w.flips, "");
	usage_read(&w.usage, "a", 7, 500, 500, 2000, false);
	usage_read(&w.usage, "a", 7, 900, 900, 3000, false);
	STR_IS(w.flips, "+a ");
	INT_IS(usage_get(&w.usage, "a", NULL), 1800);
	INT_IS(w.usage.over, 1);
	INT_IS(w.usage.limited, 0);
	usage_fini(&w.usage);
}

static void test_counters_that_fell_or_are_others_begin_at_zero(void)
{
	struct world w;
	world_init(&w);
	usage_read(&w.usage, "a", 7, 100, 100, 1000, false);
	usage_read(&w.usage, "a", 7, 10, 150, 2000, false); /* rx fell */
	INT_IS(usage_get(&w.usage, "a", NULL), 260);
	usage_read(&w.usage, "a", 8, 500, 500, 3000, false); /* another interface */
	INT_IS(usage_get(&w.usage, "a", NULL), 1260);
	usage_fini(&w.usage);
}

static void test_unknown_history_is_skipped_but_what_follows_counts(void)
{
	struct world w;
	world_init(&w);
	usage_read(&w.usage, "a", 7, 5000, 5000, 1000, true);
	INT_IS(usage_get(&w.usage, "a", NULL), 0);
	usage_read(&w.usage, "a", 7, 5001, 5000, 2000, true);
	INT_IS(usage_get(&w.usage, "a", NULL), 1);
	usage_fini(&w.usage);
}

static void test_new_period_raised_quota_and_removal_clear(void)
{
	struct world w;
	world_init(&w);
	for (const char *id = "a\0b\0c\0"; *id; id += 2) {
		usage_set_quota(&w.usage, id, 100);
		usage_read(&w.usage, id, 7, 100, 0, 1000, false);
	}
	STR_IS(w.flips, "+a +b +c ");
	usage_set_quota(&w.usage, "a", 101);
	usage_remove(&w.usage, "b");
	STR_IS(w.flips, "+a +b +c -a -b ");
	OK(usage_advance(&w.usage, NOON + DAY, 2000));
	STR_IS(w.flips, "+a +b +c -a -b -c ");
	INT_IS(usage_get(&w.usage, "c", NULL), 0);
	INT_IS(w.usage.by_id.count, 2);
	INT_IS(w.usage.over, 0);
	INT_IS(w.usage.limited, 2);
	usage_fini(&w.usage);
}

static void test_clock_that_goes_back_clears_nothing_and_the_period_begins_once(void)
{
	struct world w;
	world_init(&w);
	usage_set_quota(&w.usage, "a", 100);
	OK(usage_advance(&w.usage, NOON + DAY, 2000));
	usage_read(&w.usage, "a", 7, 100, 0, 2000, false);
	STR_IS(w.flips, "+a ");
	OK(!usage_advance(&w.usage, NOON, 3000)); /* back by a day */
	OK(!usage_advance(&w.usage, NOON + DAY, 4000));
	OK(!usage_advance(&w.usage, 0, 5000)); /* no clock at boot */
	OK(!usage_advance(&w.usage, NOON + DAY, 6000));
	STR_IS(w.flips, "+a ");
	OK(usage_advance(&w.usage, NOON + 2 * DAY, 7000));
	OK(!usage_advance(&w.usage, NOON + 2 * DAY, 8000));
	STR_IS(w.flips, "+a -a ");
	usage_fini(&w.usage);
}

static void test_clock_that_was_far_ahead_is_put_right_after_an_hour(void)
{
	struct world w;
	world_init(&w);
	usage_set_quota(&w.usage, "a", 100);
	OK(usage_advance(&w.usage, NOON + 4000 * DAY, 2000));
	usage_read(&w.usage, "a", 7, 100, 0, 2000, false);
	OK(!usage_advance(&w.usage, NOON, 3000));
	OK(!usage_advance(&w.usage, NOON + HOUR, 3000 + 3600000));
	INT_IS(w.usage.since, NOON - 12 * HOUR);
	STR_IS(w.flips, "+a "); /* counted it stays */
	OK(usage_advance(&w.usage, NOON + DAY, 3000 + 86400000));
	STR_IS(w.flips, "+a -a ");
	usage_fini(&w.usage);
}

static void test_the_next_reading_comes_sooner_the_nearer_the_quota(void)
{
	struct world w;
	world_init(&w);
	usage_begin_reading(&w.usage);
	OK(w.usage.due_ms == UINT64_MAX); /* nobody has a quota */
	usage_set_quota(&w.usage, "a", 10000);
	usage_begin_reading(&w.usage);
	INT_IS(w.usage.due_ms, USAGE_READ_QUOTA_MS);
	usage_read(&w.usage, "a", 7, 0, 0, 1000, false);
	usage_read(&w.usage, "a", 7, 5000, 0, 2000, false); /* 5 bytes/ms, 5000 left */
	INT_IS(w.usage.due_ms, 500);
	usage_read(&w.usage, "a", 7, 9900, 0, 3000, false);
	INT_IS(w.usage.due_ms, USAGE_READ_MIN_MS);
	usage_fini(&w.usage);
}

static void test_state_survives_as_text(void)
{
	struct world w, again;
	struct buf text;
	world_init(&w);
	usage_set_quota(&w.usage, "a b\nc", 100);
	usage_read(&w.usage, "a b\nc", 7, 60, 60, 1000, false);
	usage_read(&w.usage, "d", 0xffffffffffffffff, 1, 0, 1000, false);
	buf_init(&text, 0);
	usage_format(&w.usage, &text);
	usage_init(&again.usage, &ops, &again);
	again.flips[0] = 0;
	INT_IS(usage_parse(&again.usage, text.data, text.len), 0);
	INT_IS(again.usage.since, w.usage.since);
	INT_IS(again.usage.over, 1);
	usage_set_quota(&again.usage, "a b\nc", 100);
	STR_IS(again.flips, "");
	usage_read(&again.usage, "a b\nc", 7, 61, 60, 1000, false);
	INT_IS(usage_get(&again.usage, "a b\nc", NULL), 121);
	buf_fini(&text);
	usage_fini(&w.usage);
	usage_fini(&again.usage);
}

static void test_refuses_every_damaged_text(void)
{
	struct world w, again;
	struct buf text;
	world_init(&w);
	usage_read(&w.usage, "a", 7, 60, 60, 1000, false);
	buf_init(&text, 0);
	usage_format(&w.usage, &text);
	usage_init(&again.usage, &ops, &again);
	for (size_t i = 0; i < text.len; i++) {
		INT_IS(usage_parse(&again.usage, text.data, i), -EBADMSG);
		text.data[i] ^= 1;
		INT_IS(usage_parse(&again.usage, text.data, text.len), -EBADMSG);
		text.data[i] ^= 1;
	}
	INT_IS(again.usage.by_id.count, 0);
	INT_IS(usage_parse(&again.usage, text.data, text.len), 0);
	buf_fini(&text);
	usage_fini(&w.usage);
	usage_fini(&again.usage);
}

static bool is_a(void *arg, const char *id)
{
	(void)arg;
	return !strcmp(id, "a");
}

static void test_prune_forgets_and_clears_who_went_unseen(void)
{
	struct world w;
	world_init(&w);
	usage_set_quota(&w.usage, "b", 10);
	usage_read(&w.usage, "a", 7, 60, 60, 1000, false);
	usage_read(&w.usage, "b", 7, 60, 60, 1000, false);
	usage_prune(&w.usage, is_a, NULL);
	STR_IS(w.flips, "+b -b ");
	INT_IS(w.usage.by_id.count, 1);
	usage_fini(&w.usage);
}

int main(void)
{
	TAP_RUN(test_periods_begin_at_midnight_utc_on_mondays_and_firsts);
	TAP_RUN(test_both_directions_count_and_the_quota_is_reported_once);
	TAP_RUN(test_counters_that_fell_or_are_others_begin_at_zero);
	TAP_RUN(test_unknown_history_is_skipped_but_what_follows_counts);
	TAP_RUN(test_new_period_raised_quota_and_removal_clear);
	TAP_RUN(test_clock_that_goes_back_clears_nothing_and_the_period_begins_once);
	TAP_RUN(test_clock_that_was_far_ahead_is_put_right_after_an_hour);
	TAP_RUN(test_the_next_reading_comes_sooner_the_nearer_the_quota);
	TAP_RUN(test_state_survives_as_text);
	TAP_RUN(test_refuses_every_damaged_text);
	TAP_RUN(test_prune_forgets_and_clears_who_went_unseen);
	return tap_done();
}
