/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When lists are looked for again (SPEC S2). */
#include "syncd/list_timing.h"
#include "tests/unit/tap.h"

#define DAY 86400000LL

/* Some thousand values over the whole range. */
#define EVERY(random) for (uint64_t at_ = 0, random = 0; at_ < 4096; at_++, random = at_ * 1048573)

static void test_refresh_varies_by_a_twentieth(void)
{
	int64_t least = DAY * 2, most = 0;

	EVERY(random)
	{
		int64_t delay = list_refresh_delay(DAY, (uint32_t)random);

		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
	}
	OK(least >= DAY - DAY / 20 && least < DAY - DAY / 25);
	OK(most <= DAY + DAY / 20 && most > DAY + DAY / 25);
}

static void test_retries_back_off(void)
{
	static const int64_t want_s[] = { 60, 120, 240, 480, 960, 1920, 3600, 3600 };

	for (unsigned i = 0; i < sizeof(want_s) / sizeof(*want_s); i++) {
		int64_t delay = list_retry_delay(i + 1, DAY, 12345);

		OK(delay >= want_s[i] * 950 && delay <= want_s[i] * 1050);
	}
	OK(list_retry_delay(4000000000, DAY, 1) <= 3600000 + 180000);
	/* Never rarer than the list is looked for anyway. */
	OK(list_retry_delay(9, 30000, 1) <= 31500);
}

static void test_start_waits_for_the_rest_of_the_time(void)
{
	int64_t delay = list_start_delay(1000, 1000 + DAY / 4, DAY, 7);

	OK(delay >= DAY * 3 / 4 * 95 / 100 && delay <= DAY * 3 / 4 * 105 / 100);
}

static void test_clock_that_jumped_ahead_makes_no_storm(void)
{
	unsigned soon = 0;

	EVERY(random)
	{
		int64_t delay = list_start_delay(1000, 400 * DAY, DAY, (uint32_t)random);

		OK(delay >= 0 && delay <= 300000);
		soon += delay < 30000;
	}
	OK(soon < 4096 / 8);
	OK(list_start_delay(0, 400 * DAY, 5000, 4000000000) <= 500);
}

static void test_clock_that_was_set_back_neither_storms_nor_sleeps(void)
{
	EVERY(random)
	{
		int64_t delay = list_start_delay(400 * DAY, 1000, DAY, (uint32_t)random);

		OK(delay >= DAY - DAY / 20 && delay <= DAY + DAY / 20);
	}
}

int main(void)
{
	TAP_RUN(test_refresh_varies_by_a_twentieth);
	TAP_RUN(test_retries_back_off);
	TAP_RUN(test_start_waits_for_the_rest_of_the_time);
	TAP_RUN(test_clock_that_jumped_ahead_makes_no_storm);
	TAP_RUN(test_clock_that_was_set_back_neither_storms_nor_sleeps);
	return tap_done();
}
