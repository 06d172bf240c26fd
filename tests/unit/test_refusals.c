/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC P14: what counts as a refusal of the certificate, and how much of it is kept. */
#include "proxyd/refusals.h"
#include "tests/unit/tap.h"

#define NOW 1800000000000

static unsigned refuse(struct refusals *r, const char *device, const char *name, int64_t began)
{
	const struct refused one = { device, name, began, began + 50, true };

	return refusals_add(r, &one);
}

static unsigned hang_up(struct refusals *r, const char *device, const char *name, int64_t began)
{
	const struct refused one = { device, name, began, began + 50, false };

	return refusals_add(r, &one);
}

static void test_one_after_the_other_they_add_up(void)
{
	struct refusals r;

	refusals_init(&r);
	OK(refuse(&r, "a", "x.example", NOW) == 1);
	OK(refuse(&r, "a", "x.example", NOW + 50) == 2);
	OK(refuse(&r, "b", "x.example", NOW + 50) == 1);
	OK(refuse(&r, "a", "y.example", NOW + 50) == 1);
	/* What says nothing counts half. */
	OK(hang_up(&r, "a", "x.example", NOW + 200) == 2);
	OK(hang_up(&r, "a", "x.example", NOW + 300) == 3);
	refusals_fini(&r);
}

static void test_at_the_same_time_they_are_one(void)
{
	struct refusals r;

	refusals_init(&r);
	OK(refuse(&r, "a", "x.example", NOW) == 1);
	OK(refuse(&r, "a", "x.example", NOW + 49) == 1);
	OK(refuse(&r, "a", "x.example", NOW + 10) == 1);
	refusals_fini(&r);
}

static void test_after_an_hour_they_begin_anew(void)
{
	struct refusals r;

	refusals_init(&r);
	refuse(&r, "a", "x.example", NOW);
	OK(refuse(&r, "a", "x.example", NOW + REFUSALS_KEPT_MS + 100) == 1);
	/* And where the clock was set back. */
	OK(refuse(&r, "a", "x.example", NOW) == 1);
	refusals_fini(&r);
}

static void test_trust_takes_back_what_said_nothing(void)
{
	struct refusals r;

	refusals_init(&r);
	refuse(&r, "a", "x.example", NOW);
	hang_up(&r, "a", "x.example", NOW + 100);
	refusals_trust(&r, "a", "x.example");
	OK(refuse(&r, "a", "x.example", NOW + 200) == 2);
	hang_up(&r, "a", "y.example", NOW);
	refusals_trust(&r, "a", "y.example");
	OK(!refusals_has(&r, "a", "y.example"));
	refusals_forget(&r, "a", "x.example");
	OK(!refusals_has(&r, "a", "x.example"));
	refusals_fini(&r);
}

/* One that is without the certificate, or an app with a thousand names, keeps nobody from being
 * learned, itself included. */
static void test_what_is_too_much_takes_the_room_of_the_oldest(void)
{
	struct refusals r;
	char name[32], device[32];

	refusals_init(&r);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		OK(refuse(&r, "a", name, NOW + i * 10) == 1);
	}
	OK(r.by_id.count == REFUSALS_PER_DEVICE);
	OK(refusals_has(&r, "a", "n999.example") && !refusals_has(&r, "a", "n0.example"));
	OK(refuse(&r, "a", "n999.example", NOW + 15000) == 2);
	OK(refuse(&r, "b", "x.example", NOW + 16000) == 1);
	OK(r.by_id.count == REFUSALS_PER_DEVICE + 1);
	for (int i = 0; i < 4000; i++) {
		snprintf(device, sizeof(device), "d%d", i);
		OK(refuse(&r, device, "x.example", NOW + 20000 + i * 10) == 1);
	}
	OK(r.by_id.count == REFUSALS_MAX);
	OK(!refusals_has(&r, "b", "x.example") && refusals_has(&r, "d3999", "x.example"));
	/* What is old makes room. */
	OK(refuse(&r, "late", "x.example", NOW + 2LL * REFUSALS_KEPT_MS) == 1);
	OK(r.by_id.count == 1);
	refusals_fini(&r);
}

static void count_one(void *arg, const char *device, const char *name, unsigned count)
{
	unsigned *n = arg;

	OK(!strcmp(device, "a") && !strcmp(name, "x.example"));
	*n += count;
}

static void test_all_are_told(void)
{
	struct refusals r;
	unsigned n = 0;

	refusals_init(&r);
	refuse(&r, "a", "x.example", NOW);
	refuse(&r, "a", "x.example", NOW + 100);
	refusals_each(&r, count_one, &n);
	OK(n == 2);
	refusals_fini(&r);
}

int main(void)
{
	TAP_RUN(test_one_after_the_other_they_add_up);
	TAP_RUN(test_at_the_same_time_they_are_one);
	TAP_RUN(test_after_an_hour_they_begin_anew);
	TAP_RUN(test_trust_takes_back_what_said_nothing);
	TAP_RUN(test_what_is_too_much_takes_the_room_of_the_oldest);
	TAP_RUN(test_all_are_told);
	return tap_done();
}
