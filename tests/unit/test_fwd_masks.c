/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Combinations of lists and their ids (F6). */
#include "fwd/masks.h"
#include "tests/unit/tap.h"

static struct combination *take(struct masks *m, uint64_t by_address, bool *is_new)
{
	struct combination *c;
	bool fresh = false;
	INT_IS(masks_take(m, (struct list_bits){ .by_address = by_address }, &c, &fresh), 0);
	if (is_new)
		*is_new = fresh;
	return c;
}

static void test_no_lists_need_no_id(void)
{
	struct masks m;
	masks_init(&m);
	struct combination *c = take(&m, 0, NULL);
	OK(!c);
	INT_IS(masks_id(c), MASK_NONE);
	masks_fini(&m);
}

static void test_devices_alike_share_an_id(void)
{
	struct masks m;
	bool first, second;
	masks_init(&m);
	struct combination *a = take(&m, 5, &first), *b = take(&m, 5, &second);
	OK(first && !second);
	OK(a == b);
	OK(masks_id(take(&m, 4, NULL)) != masks_id(a));
	masks_fini(&m);
}

static void test_a_free_id_is_given_again_last(void)
{
	struct masks m;
	masks_init(&m);
	struct combination *a = take(&m, 5, NULL);
	take(&m, 5, NULL);
	unsigned id = masks_id(a);
	masks_drop(&m, a);
	OK(masks_id(take(&m, 6, NULL)) != id);
	masks_drop(&m, a);
	OK(masks_id(take(&m, 7, NULL)) != id);
	for (uint64_t bits = 8; bits < 8 + 252; bits++)
		a = take(&m, bits, NULL);
	INT_IS(masks_id(a), id);
	masks_fini(&m);
}

static void on_mask(void *arg, unsigned id, const struct list_bits *bits)
{
	uint64_t *all = arg;
	all[id] = bits->by_address;
}

/* The more devices, the surer the id; who shares gets every list of the others, never fewer. */
static void test_the_rarest_share_a_stricter_one(void)
{
	enum { N = 300 };
	struct masks m;
	struct combination *c[N + 1];
	uint64_t bits[256] = { 0 }, rest = 0;
	masks_init(&m);
	for (uint64_t i = 1; i <= N; i++)
		c[i] = take(&m, i, NULL);
	/* The last ones become the most common. */
	for (uint64_t i = N - 9; i <= N; i++)
		take(&m, i, NULL);
	OK(masks_settle(&m));
	for (int i = N - 9; i <= N; i++)
		OK(masks_id(c[i]) != MASK_SHARED);
	masks_each(&m, on_mask, bits);
	for (uint64_t i = 1; i <= N; i++) {
		uint64_t got = bits[masks_id(c[i])];
		if ((got & i) != i || (masks_id(c[i]) != MASK_SHARED && got != i))
			OK(false);
		rest += masks_id(c[i]) == MASK_SHARED;
	}
	INT_IS(rest, N - 254);
	INT_IS(m.sharing, N - 254);
	OK(!masks_settle(&m));
	masks_fini(&m);
}

static void test_sharing_ends_with_the_combinations(void)
{
	enum { N = 256 };
	struct masks m;
	struct combination *c[N + 1];
	masks_init(&m);
	for (uint64_t i = 1; i <= N; i++)
		c[i] = take(&m, i, NULL);
	masks_settle(&m);
	INT_IS(m.sharing, 2);
	unsigned dropped = 0;
	struct combination *shared[2] = { 0 };
	for (int i = 1; i <= N; i++) {
		if (masks_id(c[i]) == MASK_SHARED)
			shared[dropped == 0 && !shared[0] ? 0 : 1] = c[i];
	}
	for (int i = 1; i <= N && dropped < 2; i++) {
		if (masks_id(c[i]) == MASK_SHARED)
			continue;
		masks_drop(&m, c[i]);
		dropped++;
	}
	OK(masks_settle(&m));
	INT_IS(m.sharing, 0);
	OK(masks_id(shared[0]) != MASK_SHARED && masks_id(shared[1]) != MASK_SHARED);
	masks_fini(&m);
}

/* Packets on their way have the id. */
static void test_an_id_that_nobody_has_stays_for_one_writing(void)
{
	struct masks m;
	uint64_t bits[256] = { 0 };
	masks_init(&m);
	struct combination *c = take(&m, 5, NULL);
	unsigned id = masks_id(c);
	masks_drop(&m, c);
	masks_written(&m);
	masks_each(&m, on_mask, bits);
	INT_IS(bits[id], 5);
	masks_written(&m);
	bits[id] = 0;
	masks_each(&m, on_mask, bits);
	INT_IS(bits[id], 0);
	masks_fini(&m);
}

static void test_what_is_not_known_yet_has_every_list(void)
{
	struct masks m;
	uint64_t bits[256] = { 0 };
	masks_init(&m);
	masks_adopt(&m, 7);
	masks_adopt(&m, MASK_NONE);
	masks_each(&m, on_mask, bits);
	OK(bits[7] == UINT64_MAX);
	INT_IS(bits[0], 0);
	masks_forget_adopted(&m);
	masks_written(&m);
	bits[7] = 0;
	masks_each(&m, on_mask, bits);
	INT_IS(bits[7], 0);
	masks_fini(&m);
}

int main(void)
{
	TAP_RUN(test_no_lists_need_no_id);
	TAP_RUN(test_devices_alike_share_an_id);
	TAP_RUN(test_a_free_id_is_given_again_last);
	TAP_RUN(test_the_rarest_share_a_stricter_one);
	TAP_RUN(test_sharing_ends_with_the_combinations);
	TAP_RUN(test_an_id_that_nobody_has_stays_for_one_writing);
	TAP_RUN(test_what_is_not_known_yet_has_every_list);
	return tap_done();
}
