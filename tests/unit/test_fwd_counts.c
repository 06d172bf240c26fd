/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Differences of the kernel's counters of refusals (F12). */
#include "fwd/counts.h"
#include "fwd/marks.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static void make_key(uint8_t key[static 8], uint8_t host, enum reason reason, unsigned shift)
{
	uint32_t mark = (uint32_t)reason << MARK_REASON_SHIFT << shift;
	const uint8_t addr[] = { 10, 9, 0, host };
	memcpy(key, addr, sizeof(addr));
	memcpy(key + 4, &mark, sizeof(mark));
}

static struct counts make(unsigned shift)
{
	struct counts c = { .mark_shift = shift };
	hmap_init(&c.last, free);
	return c;
}

static void test_gives_only_what_is_new(void)
{
	struct counts c = make(0);
	uint8_t key[8];
	make_key(key, 2, REASON_PROFILE, 0);
	INT_IS(counts_take(&c, key, sizeof(key), 5, 500), 0);
	INT_IS(c.found_count, 1);
	INT_IS(c.found[0].packets, 5);
	INT_IS(c.found[0].reason, REASON_PROFILE);
	INT_IS(c.found[0].device.bytes[3], 2);
	c.found_count = 0;
	INT_IS(counts_take(&c, key, sizeof(key), 5, 500), 0);
	INT_IS(c.found_count, 0);
	INT_IS(counts_take(&c, key, sizeof(key), 7, 650), 0);
	INT_IS(c.found_count, 1);
	INT_IS(c.found[0].packets, 2);
	INT_IS(c.found[0].bytes, 150);
	counts_fini(&c);
}

static void test_begins_anew_with_a_new_element(void)
{
	struct counts c = make(0);
	uint8_t key[8];
	make_key(key, 2, REASON_DOT, 0);
	INT_IS(counts_take(&c, key, sizeof(key), 50, 5000), 0);
	c.found_count = 0;
	INT_IS(counts_take(&c, key, sizeof(key), 3, 300), 0);
	INT_IS(c.found[0].packets, 3);
	INT_IS(c.found[0].bytes, 300);
	counts_fini(&c);
}

static void test_reads_reasons_under_a_shift(void)
{
	struct counts c = make(3);
	uint8_t key[8];
	make_key(key, 2, REASON_LISTED, 3);
	INT_IS(counts_take(&c, key, sizeof(key), 1, 40), 0);
	INT_IS(c.found[0].reason, REASON_LISTED);
	counts_fini(&c);
}

static void test_passes_over_keys_of_another_length(void)
{
	struct counts c = make(0);
	INT_IS(counts_take(&c, (const uint8_t *)"abc", 3, 1, 1), 0);
	INT_IS(c.found_count, 0);
	counts_fini(&c);
}

int main(void)
{
	TAP_RUN(test_gives_only_what_is_new);
	TAP_RUN(test_begins_anew_with_a_new_element);
	TAP_RUN(test_reads_reasons_under_a_shift);
	TAP_RUN(test_passes_over_keys_of_another_length);
	return tap_done();
}
