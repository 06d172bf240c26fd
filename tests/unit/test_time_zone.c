/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Zones against the C library's own reading of them; the footer beyond the last transition. */
#include "common/time_zone.h"
#include "tests/unit/tap.h"
#include <stdlib.h>
#include <time.h>

static const char *const names[] = { "Europe/Berlin", "America/New_York", "Asia/Kolkata",
	"Australia/Lord_Howe", "Africa/Casablanca", "America/Sao_Paulo", "Pacific/Apia",
	"Asia/Jerusalem", "America/Nuuk", "Europe/Dublin", "UTC", "Asia/Gaza", "Africa/Cairo" };

static long libc_offset(int64_t at)
{
	time_t t = at;
	struct tm tm;
	localtime_r(&t, &tm);
	return tm.tm_gmtoff;
}

/* Every third hour from 1960 to 2100: past transitions and the footer's rules. */
static void test_offsets_are_those_of_the_c_library(void)
{
	struct time_zones zs;
	time_zones_init(&zs);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct time_zone *z = time_zones_get(&zs, names[i]);
		int wrong = 0;
		OK(z);
		setenv("TZ", names[i], 1);
		tzset();
		for (int64_t at = -315619200; z && at < 4102444800; at += 10800) {
			/* glibc itself stops at 2037 for tables without a footer it can follow */
			if (time_zone_offset(z, at) != libc_offset(at) && !wrong++)
				printf("# %s at %lld: %d, want %ld\n", names[i], (long long)at,
					time_zone_offset(z, at), libc_offset(at));
		}
		INT_IS(wrong, 0);
	}
	unsetenv("TZ");
	time_zones_fini(&zs);
}

static void test_unknown_names_are_no_zone(void)
{
	struct time_zones zs;
	time_zones_init(&zs);
	OK(!time_zones_get(&zs, "Nowhere/Land"));
	OK(!time_zones_get(&zs, "../../../etc/passwd"));
	OK(!time_zones_get(&zs, "/etc/localtime"));
	OK(!time_zones_get(&zs, "tzdata.zi"));
	OK(time_zones_get(&zs, NULL) == time_zones_get(&zs, ""));
	OK(time_zones_get(&zs, ""));
	time_zones_fini(&zs);
}

static void test_next_never_skips_a_transition(void)
{
	struct time_zones zs;
	time_zones_init(&zs);
	const struct time_zone *z = time_zones_get(&zs, "Europe/Berlin");
	/* 2026-10-25 01:00 UTC: summer time ends. */
	int64_t end = 1792890000;
	INT_IS(time_zone_offset(z, end - 1), 7200);
	INT_IS(time_zone_offset(z, end), 3600);
	INT_IS(time_zone_next(z, end - 100), end);
	time_zones_fini(&zs);
}

int main(void)
{
	TAP_RUN(test_offsets_are_those_of_the_c_library);
	TAP_RUN(test_unknown_names_are_no_zone);
	TAP_RUN(test_next_never_skips_a_transition);
	return tap_done();
}
