/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which lists act by address (F6, D3). */
#include "fwd/lists.h"
#include "tests/unit/tap.h"

static void put(struct lists *l, const char *id, int64_t bit, bool by_address, const char *kind)
{
	struct rec_list rec = {
		.id = (char *)id, .bit = bit, .by_address = by_address, .kind = (char *)kind
	};
	rec_mark(&rec, list, id);
	rec_mark(&rec, list, by_address);
	if (bit >= 0)
		rec_mark(&rec, list, bit);
	if (kind)
		rec_mark(&rec, list, kind);
	INT_IS(lists_apply(l, id, &rec), 0);
}

static struct list_bits bits_without(const struct lists *l, const char *off)
{
	char *v[] = { (char *)off };
	struct device_view view = { .lists_off = { v, off ? 1 : 0 } };
	return lists_bits(l, &view);
}

static void test_only_lists_by_address_act(void)
{
	struct lists l;
	uint64_t freed;
	lists_init(&l);
	put(&l, "ads", 0, true, NULL);
	put(&l, "maps", 1, false, NULL);
	put(&l, "later", -1, true, NULL);
	OK(lists_settle(&l, &freed));
	INT_IS(freed, 0);
	INT_IS(bits_without(&l, NULL).by_address, 1);
	INT_IS(bits_without(&l, "ads").by_address, 0);
	INT_IS(bits_without(&l, "maps").by_address, 1);
	INT_IS(lists_find_bit(&l, "ads"), 1);
	INT_IS(lists_find_bit(&l, "maps"), 0);
	INT_IS(lists_find_bit(&l, "later"), 0);
	INT_IS(lists_find_bit(&l, "none"), 0);
	OK(!lists_settle(&l, &freed));
	lists_fini(&l);
}

/* D11: whether it is off otherwise or not. */
static void test_a_scheduled_list_acts_in_its_windows_alone(void)
{
	static char what[] = "list:ads", other[] = "category:ads", none[] = "list:none";
	static char *off[] = { what + 5 };
	struct rec_schedule schedules[] = { { .what = none }, { .what = what }, { .what = other },
		{ .what = what } };
	struct device_view v = { .schedules = schedules, .schedule_count = 4 };
	struct lists l;
	uint64_t freed;
	lists_init(&l);
	put(&l, "ads", 0, true, NULL);
	put(&l, "games", 1, true, NULL);
	lists_settle(&l, &freed);
	for (v.lists_off.n = 0; v.lists_off.n < 2; v.lists_off.n++) {
		v.lists_off.v = off;
		v.schedules_now = 1 << 0 | 1 << 2;
		INT_IS(lists_bits(&l, &v).by_address, 2);
		v.schedules_now = 1 << 3;
		INT_IS(lists_bits(&l, &v).by_address, 3);
	}
	lists_fini(&l);
}

/* F4 */
static void test_a_list_of_kind_doh_acts_on_443(void)
{
	struct lists l;
	uint64_t freed;
	lists_init(&l);
	put(&l, "resolvers", 40, false, "doh");
	lists_settle(&l, &freed);
	INT_IS(bits_without(&l, NULL).by_address, 0);
	OK(bits_without(&l, NULL).doh == 1ULL << 40);
	INT_IS(bits_without(&l, "resolvers").doh, 0);
	OK(lists_find_bit(&l, "resolvers") == 1ULL << 40);
	lists_fini(&l);
}

static void test_switching_by_address_off_acts(void)
{
	struct lists l;
	uint64_t freed;
	lists_init(&l);
	put(&l, "ads", 3, true, NULL);
	lists_settle(&l, &freed);
	put(&l, "ads", 3, false, NULL);
	OK(lists_settle(&l, &freed));
	INT_IS(freed, 0);
	INT_IS(bits_without(&l, NULL).by_address, 0);
	lists_fini(&l);
}

static void test_a_bit_of_another_list_is_freed(void)
{
	struct lists l;
	uint64_t freed;
	lists_init(&l);
	put(&l, "ads", 3, true, NULL);
	put(&l, "games", 4, true, NULL);
	lists_settle(&l, &freed);
	lists_apply(&l, "ads", NULL);
	put(&l, "news", 3, true, NULL);
	OK(lists_settle(&l, &freed));
	INT_IS(freed, 8);
	lists_apply(&l, "games", NULL);
	OK(lists_settle(&l, &freed));
	INT_IS(freed, 16);
	lists_fini(&l);
}

int main(void)
{
	TAP_RUN(test_only_lists_by_address_act);
	TAP_RUN(test_a_scheduled_list_acts_in_its_windows_alone);
	TAP_RUN(test_a_list_of_kind_doh_acts_on_443);
	TAP_RUN(test_switching_by_address_off_acts);
	TAP_RUN(test_a_bit_of_another_list_is_freed);
	return tap_done();
}
