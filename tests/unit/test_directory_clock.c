/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC D11, W4: a clock that is set moves schedules with it and extends no entitlement. */
#include "common/policy/directory.h"
#include "common/timer.h"
#include "tests/unit/fake_bus.h"
#include "tests/unit/tap.h"
#include <inttypes.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DAY_S = 86400, LOOK_S = 11 };

/* What the clocks show beyond the kernel's; interposed, since nobody may set the machine's. */
static long wall_ahead_s, steady_ahead_s;
static bool stand_still; /* but for what they are ahead */

int clock_gettime(clockid_t id, struct timespec *out)
{
	int err = (int)syscall(SYS_clock_gettime, id, out);

	if (stand_still)
		*out = (struct timespec){ .tv_sec = id == CLOCK_REALTIME ? 1700000000 : DAY_S };
	out->tv_sec += id == CLOCK_REALTIME ? wall_ahead_s + steady_ahead_s : steady_ahead_s;
	return err;
}

struct world {
	uv_loop_t loop;
	struct bus *bus;
	struct directory *dir;
};

static void world_init(struct world *w, const char *device)
{
	static const struct directory_ops none = { 0 };

	uv_loop_init(&w->loop);
	w->bus = fake_bus_new();
	w->dir = directory_open(&w->loop, w->bus, &none, NULL);
	fake_bus_put(w->bus, TOPIC_devices, BUS_APID, "d", device);
	fake_bus_end_all(w->bus);
}

static void world_fini(struct world *w)
{
	wall_ahead_s = steady_ahead_s = 0;
	stand_still = false;
	directory_close(w->dir);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&w->loop), 0);
	fake_bus_free(w->bus);
}

/* The clock is set; then the time passes in which that must be noticed. */
static const struct device_view *set_clock(struct world *w, long ahead_s)
{
	wall_ahead_s = ahead_s;
	steady_ahead_s += LOOK_S;
	uv_update_time(&w->loop);
	uv_run(&w->loop, UV_RUN_NOWAIT);
	return directory_find_id(w->dir, "d");
}

static void format_time(int64_t minutes, char out[static 6])
{
	unsigned minute = (unsigned)minutes % 1440;

	snprintf(out, 6, "%02u:%02u", minute / 60 % 24, minute % 60);
}

/* Off from an hour to 3 hours hence. */
static void format_scheduled(char *out, size_t size)
{
	int64_t now = clock_wall_ms() / 60000;
	char from[6], to[6];

	format_time(now + 60, from);
	format_time(now + 180, to);
	snprintf(out, size,
		"{\"id\":\"d\",\"addresses\":[\"10.9.0.2\"],\"time_zone\":\"UTC\",\"schedules\":["
		"{\"what\":\"all\",\"from\":\"%s\",\"to\":\"%s\"}]}",
		from, to);
}

static void test_schedule_follows_a_clock_set_forth_and_back(void)
{
	char json[300];
	struct world w;

	format_scheduled(json, sizeof(json));
	world_init(&w, json);
	OK(!directory_find_id(w.dir, "d")->scheduled_off);
	OK(set_clock(&w, 2 * 3600)->scheduled_off);
	OK(!set_clock(&w, 0)->scheduled_off);
	OK(set_clock(&w, 2 * 3600 - DAY_S)->scheduled_off);
	OK(!set_clock(&w, -DAY_S)->scheduled_off);
	OK(set_clock(&w, 2 * 3600 + DAY_S)->scheduled_off);
	world_fini(&w);
}

static void format_expiring(char *out, size_t size, int64_t in_s)
{
	snprintf(out, size,
		"{\"id\":\"d\",\"addresses\":[\"10.9.0.2\"],\"expires_at\":%" PRId64 "}",
		clock_wall_ms() + in_s * 1000);
}

static void test_clock_set_back_does_not_extend_an_entitlement(void)
{
	char json[200];
	struct world w;

	format_expiring(json, sizeof(json), LOOK_S - 1);
	world_init(&w, json);
	INT_IS(directory_find_id(w.dir, "d")->entitlement, ENTITLED);
	INT_IS(set_clock(&w, -DAY_S)->entitlement, NOT_ENTITLED_EXPIRED);
	world_fini(&w);
}

static void test_expiry_by_a_wrong_clock_ends_with_it(void)
{
	char json[200];
	struct world w;

	format_expiring(json, sizeof(json), 3600);
	world_init(&w, json);
	INT_IS(set_clock(&w, DAY_S)->entitlement, NOT_ENTITLED_EXPIRED);
	INT_IS(set_clock(&w, 0)->entitlement, ENTITLED);
	world_fini(&w);
}

static void on_batch(void *arg)
{
	++*(int *)arg;
}

/* Whoever is told of a batch drops what it had cached. */
static void test_while_nothing_ends_nobody_is_told_that_something_did(void)
{
	static const struct directory_ops ops = { .on_batch_end = on_batch };
	char json[200];
	struct world w;
	int told = 0;

	stand_still = true;
	uv_loop_init(&w.loop);
	w.bus = fake_bus_new();
	w.dir = directory_open(&w.loop, w.bus, &ops, &told);
	fake_bus_put(
		w.bus, TOPIC_devices, BUS_APID, "d", "{\"id\":\"d\",\"addresses\":[\"10.9.0.2\"]}");
	fake_bus_end_all(w.bus);
	told = 0;
	OK(set_clock(&w, 0)->entitlement == ENTITLED && !told);
	format_expiring(json, sizeof(json), 3600);
	fake_bus_put(w.bus, TOPIC_devices, BUS_APID, "d", json);
	fake_bus_end(w.bus, TOPIC_devices, BUS_APID);
	told = 0;
	OK(set_clock(&w, 0)->entitlement == ENTITLED && !told);
	steady_ahead_s += 3600;
	INT_IS(set_clock(&w, 0)->entitlement, NOT_ENTITLED_EXPIRED);
	INT_IS(told, 1);
	world_fini(&w);
}

int main(void)
{
	TAP_RUN(test_schedule_follows_a_clock_set_forth_and_back);
	TAP_RUN(test_clock_set_back_does_not_extend_an_entitlement);
	TAP_RUN(test_expiry_by_a_wrong_clock_ends_with_it);
	TAP_RUN(test_while_nothing_ends_nobody_is_told_that_something_did);
	return tap_done();
}
