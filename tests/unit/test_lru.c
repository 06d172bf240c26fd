/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bounded map with ends: sessions, verified chains, leaves. */
#include "common/lru.h"
#include "tests/unit/tap.h"

static void on_free(void *value)
{
	++*(int *)value;
}

static void test_least_recently_used_leaves(void)
{
	int a = 0, b = 0, c = 0;
	struct lru l;

	lru_init(&l, 2, on_free);
	OK(lru_set(&l, "a", &a, 100) == 0);
	OK(lru_set(&l, "b", &b, 100) == 0);
	OK(lru_find(&l, "a", 0) == &a);
	OK(lru_set(&l, "c", &c, 100) == 0);
	OK(lru_find(&l, "b", 0) == NULL);
	INT_IS(b, 1);
	INT_IS(lru_count(&l), 2);
	lru_fini(&l);
	INT_IS(a, 1);
	INT_IS(c, 1);
}

static void test_value_is_gone_at_its_end(void)
{
	int a = 0;
	struct lru l;

	lru_init(&l, 2, on_free);
	OK(lru_set(&l, "a", &a, 100) == 0);
	OK(lru_find(&l, "a", 99) == &a);
	OK(lru_find(&l, "a", 100) == NULL);
	INT_IS(a, 1);
	INT_IS(lru_count(&l), 0);
	lru_fini(&l);
}

static void test_replaced_value_is_freed(void)
{
	int a = 0, b = 0;
	struct lru l;

	lru_init(&l, 2, on_free);
	OK(lru_set(&l, "a", &a, 100) == 0);
	OK(lru_set(&l, "a", &b, 50) == 0);
	INT_IS(a, 1);
	INT_IS(lru_count(&l), 1);
	OK(lru_find(&l, "a", 60) == NULL);
	lru_fini(&l);
	INT_IS(b, 1);
}

static void test_one_without_room_keeps_nothing(void)
{
	int a = 0;
	struct lru l;

	lru_init(&l, 0, on_free);
	OK(lru_set(&l, "a", &a, 100) == 0);
	INT_IS(a, 1);
	OK(lru_find(&l, "a", 0) == NULL);
	lru_fini(&l);
}

int main(void)
{
	TAP_RUN(test_least_recently_used_leaves);
	TAP_RUN(test_value_is_gone_at_its_end);
	TAP_RUN(test_replaced_value_is_freed);
	TAP_RUN(test_one_without_room_keeps_nothing);
	return tap_done();
}
