/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a file that is followed counts as whole (SPEC W5). */
#include "tests/unit/tap.h"
#include "wgd/rest.h"

static struct stat stamp(unsigned n)
{
	return (struct stat){ .st_ino = 7, .st_size = 100, .st_mtim = { 1000, n } };
}

static bool read_at(struct rest *r, uint64_t ms, unsigned n, const char *sum)
{
	struct stat st = stamp(n);

	return rest_take(r, &st, sum, ms, ms + 3);
}

static void test_one_reading_is_never_enough(void)
{
	struct rest r = { 0 };

	OK(!read_at(&r, 1000000, 1, "a"));
}

static void test_same_text_and_stamp_after_the_pause_is_whole_and_stays_so(void)
{
	struct rest r = { 0 };

	OK(!read_at(&r, 1000, 1, "a"));
	OK(!read_at(&r, 1100, 1, "a"));
	OK(!read_at(&r, 1003 + REST_MS - 1, 1, "a"));
	OK(read_at(&r, 1003 + REST_MS, 1, "a"));
	OK(read_at(&r, 1003 + REST_MS, 1, "a"));
}

static void test_what_changed_begins_anew_however_long_nobody_looked(void)
{
	struct rest r = { 0 };

	read_at(&r, 1000, 1, "a");
	OK(!read_at(&r, 90000, 2, "b"));
	OK(!read_at(&r, 190000, 3, "b")); /* written again, to the same */
	OK(!read_at(&r, 290000, 3, "c")); /* within one tick of the file system's clock */
	OK(read_at(&r, 290003 + REST_MS, 3, "c"));
	OK(!read_at(&r, 390000, 3, "d"));
}

static void test_other_file_of_the_same_text_begins_anew(void)
{
	struct rest r = { 0 };
	struct stat st = stamp(1);

	read_at(&r, 1000, 1, "a");
	st.st_ino++;
	OK(!rest_take(&r, &st, "a", 9000, 9000));
	OK(rest_take(&r, &st, "a", 9000 + REST_MS, 9000 + REST_MS));
}

static void test_file_that_was_away_begins_anew(void)
{
	struct rest r = { 0 };

	read_at(&r, 1000, 1, "a");
	rest_forget(&r);
	OK(!read_at(&r, 9000, 1, "a"));
}

static void test_what_never_rests_is_endless(void)
{
	struct rest r = { 0 };
	unsigned n = 0;

	for (uint64_t at = 1000; at < 1003 + REST_MAX_MS; at += REST_MS) {
		OK(!read_at(&r, at, n++, "a"));
		OK(!rest_is_endless(&r, at));
	}
	OK(rest_is_endless(&r, 1003 + REST_MAX_MS));
	/* It rests, and is written again long after. */
	OK(read_at(&r, 90000, n - 1, "a"));
	OK(!rest_is_endless(&r, 91000));
	OK(!read_at(&r, 990000, n, "a"));
	OK(!rest_is_endless(&r, 990100));
}

int main(void)
{
	TAP_RUN(test_one_reading_is_never_enough);
	TAP_RUN(test_same_text_and_stamp_after_the_pause_is_whole_and_stays_so);
	TAP_RUN(test_what_changed_begins_anew_however_long_nobody_looked);
	TAP_RUN(test_other_file_of_the_same_text_begins_anew);
	TAP_RUN(test_file_that_was_away_begins_anew);
	TAP_RUN(test_what_never_rests_is_endless);
	return tap_done();
}
