/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/timed.h"
#include "tests/unit/tap.h"
#include <string.h>

static void test_keeps_a_million(void)
{
	enum { N = 1000000 };
	struct timed t;
	struct timed_entry e;
	INT_IS(timed_init(&t, 4), 0);
	for (uint32_t i = 0; i < N; i++)
		if (timed_set(&t, &i, (struct timed_entry){ i, i % 100 + 10 }))
			OK(false);
	INT_IS(t.count, N);
	size_t wrong = 0;
	for (uint32_t i = 0; i < N; i++)
		wrong += !timed_get(&t, &i, &e) || e.bits != i || e.expires_s != i % 100 + 10;
	INT_IS(wrong, 0);
	uint32_t none = N;
	OK(!timed_get(&t, &none, &e));
	timed_fini(&t);
}

static void test_replaces_and_removes(void)
{
	struct timed t;
	struct timed_entry e;
	char key[32] = "device and destination";
	timed_init(&t, sizeof(key));
	timed_set(&t, key, (struct timed_entry){ 1, 10 });
	timed_set(&t, key, (struct timed_entry){ 2, 20 });
	INT_IS(t.count, 1);
	OK(timed_get(&t, key, &e) && e.bits == 2 && e.expires_s == 20);
	timed_remove(&t, key);
	timed_remove(&t, key);
	INT_IS(t.count, 0);
	OK(!timed_get(&t, key, &e));
	timed_fini(&t);
}

static void test_sweeps_what_expired(void)
{
	struct timed t;
	timed_init(&t, 4);
	for (uint32_t i = 0; i < 1000; i++)
		timed_set(&t, &i, (struct timed_entry){ 0, i + 10 });
	for (int i = 0; i < 100; i++)
		timed_sweep(&t, 510, 64);
	INT_IS(t.count, 500);
	timed_fini(&t);
}

/* Removed keys do not make it grow for ever. */
static void test_stays_small_under_change(void)
{
	struct timed t;
	timed_init(&t, 4);
	for (uint32_t i = 0; i < 1000000; i++) {
		uint32_t old = i - 100;
		timed_set(&t, &i, (struct timed_entry){ 0, 10 });
		timed_remove(&t, &old);
	}
	INT_IS(t.count, 100);
	OK(t.cap <= 1024);
	timed_fini(&t);
}

static void test_gives_each_once(void)
{
	struct timed t;
	const uint8_t *key;
	struct timed_entry e;
	uint64_t sum = 0;
	timed_init(&t, 4);
	for (uint32_t i = 1; i <= 100; i++)
		timed_set(&t, &i, (struct timed_entry){ i, 10 });
	for (size_t at = 0; timed_next(&t, &at, &key, &e);) {
		sum += e.bits;
		timed_remove(&t, key);
	}
	INT_IS(sum, 5050);
	INT_IS(t.count, 0);
	timed_fini(&t);
}

int main(void)
{
	TAP_RUN(test_keeps_a_million);
	TAP_RUN(test_replaces_and_removes);
	TAP_RUN(test_sweeps_what_expired);
	TAP_RUN(test_stays_small_under_change);
	TAP_RUN(test_gives_each_once);
	return tap_done();
}
