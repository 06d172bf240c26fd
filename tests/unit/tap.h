/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * TAP for unit tests. A test is `static void test_rejects_label_over_63(void)`; main lists them:
 *   int main(void) { TAP_RUN(test_a); TAP_RUN(test_b); return tap_done(); }
 * Within a test, OK(cond) and STR_IS(got, want) note failures; the test fails if any did.
 */
static int tap_count, tap_failed;
static bool tap_ok;

#define OK(cond)                                                                                   \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			tap_ok = false;                                                            \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);                        \
		}                                                                                  \
	} while (0)

#define STR_IS(got, want)                                                                          \
	do {                                                                                       \
		const char *tap_got = (got), *tap_want = (want);                                   \
		if (!tap_got || strcmp(tap_got, tap_want) != 0) {                                  \
			tap_ok = false;                                                            \
			printf("# %s:%d: got \"%s\", want \"%s\"\n", __FILE__, __LINE__,           \
				tap_got ? tap_got : "(null)", tap_want);                           \
		}                                                                                  \
	} while (0)

#define INT_IS(got, want)                                                                          \
	do {                                                                                       \
		long long tap_got = (long long)(got), tap_want = (long long)(want);                \
		if (tap_got != tap_want) {                                                         \
			tap_ok = false;                                                            \
			printf("# %s:%d: %s is %lld, want %lld\n", __FILE__, __LINE__, #got,       \
				tap_got, tap_want);                                                \
		}                                                                                  \
	} while (0)

#define TAP_RUN(test) tap_run(#test, test)

static inline void tap_run(const char *name, void (*test)(void))
{
	tap_ok = true;
	test();
	tap_failed += !tap_ok;
	printf("%sok %d - %s\n", tap_ok ? "" : "not ", ++tap_count, name);
	fflush(stdout);
}

static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}
