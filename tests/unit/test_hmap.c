/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/hmap.h"
#include "common/siphash.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

static void test_sets_finds_and_takes(void)
{
	struct hmap m;
	int a = 1, b = 2;

	hmap_init(&m, NULL);
	OK(!hmap_find_str(&m, "x"));
	OK(!hmap_set_str(&m, "x", &a));
	OK(!hmap_set_str(&m, "x", &b));
	INT_IS(m.count, 1);
	OK(hmap_find_str(&m, "x") == &b);
	OK(hmap_take_str(&m, "x") == &b);
	OK(!hmap_find_str(&m, "x"));
	OK(!hmap_remove_str(&m, "x"));
	hmap_fini(&m);
}

/* Random additions and removals against a plain array. */
static void test_agrees_with_a_model_over_many_changes(void)
{
	static int values[5000];
	static bool there[5000];
	struct hmap m;
	size_t count = 0, seen = 0;
	bool same = true;

	srand(7);
	hmap_init(&m, NULL);
	for (int i = 0; i < 100000; i++) {
		int k = rand() % 5000;
		if (rand() % 2) {
			same &= !hmap_set(&m, &k, sizeof(k), &values[k]);
			count += !there[k];
			there[k] = true;
		} else {
			same &= hmap_remove(&m, &k, sizeof(k)) == there[k];
			count -= there[k];
			there[k] = false;
		}
	}
	for (int k = 0; k < 5000; k++)
		same &= hmap_find(&m, &k, sizeof(k)) == (there[k] ? &values[k] : NULL);
	hmap_foreach (&m, it)
		seen++;
	OK(same);
	INT_IS(m.count, count);
	INT_IS(seen, count);
	hmap_fini(&m);
}

static void test_entries_may_go_while_iterating(void)
{
	struct hmap m;
	char key[16];

	hmap_init(&m, free);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		OK(!hmap_set_str(&m, key, malloc(1)));
	}
	hmap_foreach (&m, it)
		hmap_remove(&m, it.key, it.len);
	INT_IS(m.count, 0);
	hmap_fini(&m);
}

/* A hash that forgot a byte or its key would let hostile names collide. */
static void test_siphash_depends_on_key_and_every_byte(void)
{
	uint8_t key[16] = { 1 }, data[40] = { 0 };
	uint64_t base = siphash13(key, data, sizeof(data));

	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = 1;
		OK(siphash13(key, data, sizeof(data)) != base);
		data[i] = 0;
	}
	OK(siphash13(key, data, 39) != base);
	key[15] = 9;
	OK(siphash13(key, data, sizeof(data)) != base);
}

int main(void)
{
	TAP_RUN(test_sets_finds_and_takes);
	TAP_RUN(test_agrees_with_a_model_over_many_changes);
	TAP_RUN(test_entries_may_go_while_iterating);
	TAP_RUN(test_siphash_depends_on_key_and_every_byte);
	return tap_done();
}
