/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schedules: days, past midnight, summer time (SPEC P5). */
#include "common/policy/schedule.h"
#include "tests/unit/tap.h"
#include <stdlib.h>
#include <time.h>

static struct time_zones zones;

/* Local wall time in Berlin as epoch ms; the first of two when the clock goes back. */
static int64_t berlin(int year, int month, int day, int hour, int minute)
{
	struct tm tm = { .tm_year = year - 1900,
		.tm_mon = month - 1,
		.tm_mday = day,
		.tm_hour = hour,
		.tm_min = minute };
	int64_t utc = timegm(&tm);
	const struct time_zone *z = time_zones_get(&zones, "Europe/Berlin");
	int64_t first = utc - time_zone_offset(z, utc - 7200);
	return first * 1000;
}

static bool holds(char *day, char *from, char *to, int64_t at)
{
	char *days[] = { day };
	struct rec_schedule s = {
		.what = "all", .days = { days, day ? 1 : 0 }, .from = from, .to = to
	};
	return schedule_holds(&s, time_zones_get(&zones, "Europe/Berlin"), at);
}

static void test_window_of_a_day(void)
{
	/* 2026-11-23 is a Monday. */
	OK(holds("mon", "08:00", "15:00", berlin(2026, 11, 23, 8, 0)));
	OK(holds("mon", "08:00", "15:00", berlin(2026, 11, 23, 14, 59)));
	OK(!holds("mon", "08:00", "15:00", berlin(2026, 11, 23, 15, 0)));
	OK(!holds("mon", "08:00", "15:00", berlin(2026, 11, 23, 7, 59)));
	OK(!holds("mon", "08:00", "15:00", berlin(2026, 11, 24, 9, 0)));
	OK(holds(NULL, "08:00", "15:00", berlin(2026, 11, 24, 9, 0)));
}

static void test_window_past_midnight_belongs_to_its_first_day(void)
{
	OK(holds("fri", "22:00", "07:00", berlin(2026, 11, 27, 23, 0)));
	OK(holds("fri", "22:00", "07:00", berlin(2026, 11, 28, 6, 59)));
	OK(!holds("fri", "22:00", "07:00", berlin(2026, 11, 28, 7, 0)));
	OK(!holds("fri", "22:00", "07:00", berlin(2026, 11, 27, 6, 0)));
	OK(!holds("fri", "22:00", "07:00", berlin(2026, 11, 28, 23, 0)));
}

static void test_missing_ends_are_those_of_the_day(void)
{
	OK(holds("mon", NULL, NULL, berlin(2026, 11, 23, 0, 0)));
	OK(holds("mon", NULL, NULL, berlin(2026, 11, 23, 23, 59)));
	OK(!holds("mon", NULL, NULL, berlin(2026, 11, 24, 0, 0)));
	OK(holds("mon", "20:00", NULL, berlin(2026, 11, 23, 23, 59)));
	OK(holds("mon", NULL, "06:00", berlin(2026, 11, 23, 5, 0)));
	OK(holds("mon", "06:00", "06:00", berlin(2026, 11, 24, 5, 0)));
}

static void test_wall_clock_counts_when_summer_time_comes_and_goes(void)
{
	/* 2026-03-29 02:00 → 03:00: at 03:00 a window from 02:30 has begun. */
	OK(!holds(NULL, "02:30", "04:00", berlin(2026, 3, 29, 1, 59)));
	OK(holds(NULL, "02:30", "04:00", berlin(2026, 3, 29, 1, 59) + 60000));
	/* 2026-10-25 03:00 → 02:00: the hour from 02:00 comes twice and is in the window twice. */
	int64_t two = berlin(2026, 10, 25, 2, 0);
	OK(holds(NULL, "02:00", "03:00", two + 1800000));
	OK(holds(NULL, "02:00", "03:00", two + 3600000 + 1800000));
	OK(!holds(NULL, "02:00", "03:00", two + 7200000));
}

static void test_what_cannot_be_read_restricts(void)
{
	int64_t at = berlin(2026, 11, 23, 12, 0);
	OK(holds("monday", "08:00", "09:00", at));
	OK(holds("mon", "8:00", "09:00", at));
	OK(holds("mon", "08:00", "24:01", at));
	struct rec_schedule s = { .what = "all", .from = "08:00", .to = "09:00" };
	OK(schedule_holds(&s, NULL, at));
}

/* Between now and schedule_next nothing changes, over a year of random windows. */
static void test_next_is_never_late(void)
{
	static char *const names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
	const struct time_zone *z = time_zones_get(&zones, "Europe/Berlin");
	srand(4);
	for (int i = 0; i < 400; i++) {
		char from[12], to[12], *days[] = { names[rand() % 7], names[rand() % 7] };
		snprintf(from, sizeof(from), "%02d:%02d", rand() % 24, rand() % 60);
		snprintf(to, sizeof(to), "%02d:%02d", rand() % 24, rand() % 60);
		struct rec_schedule s = {
			.what = "all", .days = { days, 2 }, .from = from, .to = to
		};
		int64_t now = berlin(2026, 1, 1, 0, 0) + (int64_t)(rand() % 31536000) * 1000;
		int64_t next = schedule_next(&s, z, now);
		bool first = schedule_holds(&s, z, now);
		OK(next > now);
		for (int64_t at = now; at < next; at += 60000)
			OK(schedule_holds(&s, z, at) == first);
	}
}

int main(void)
{
	time_zones_init(&zones);
	TAP_RUN(test_window_of_a_day);
	TAP_RUN(test_window_past_midnight_belongs_to_its_first_day);
	TAP_RUN(test_missing_ends_are_those_of_the_day);
	TAP_RUN(test_wall_clock_counts_when_summer_time_comes_and_goes);
	TAP_RUN(test_what_cannot_be_read_restricts);
	TAP_RUN(test_next_is_never_late);
	time_zones_fini(&zones);
	return tap_done();
}
