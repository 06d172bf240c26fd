/* SPDX-License-Identifier: GPL-3.0-or-later */
/* W4: who is entitled, by one function, and walled at the second it ends. */
#include "common/policy/directory.h"
#include "common/timer.h"
#include "tests/unit/fake_bus.h"
#include "tests/unit/tap.h"

struct world {
	uv_loop_t loop;
	struct bus *bus;
	struct directory *dir;
	int64_t walled_at; /* wall ms, when on_device said so */
};

static void on_device(void *arg, struct device_view *v)
{
	struct world *w = arg;
	if (!strcmp(v->profile, "walled") && !w->walled_at)
		w->walled_at = clock_wall_ms();
}

static const struct directory_ops ops = { .on_device = on_device };

/* What all clocks show: no time passes but what a test lets pass. */
static int64_t now_ms = 1700000000000;

int clock_gettime(clockid_t id, struct timespec *out)
{
	(void)id;
	out->tv_sec = now_ms / 1000;
	out->tv_nsec = now_ms % 1000 * 1000000;
	return 0;
}

static void pass(struct world *w, int64_t ms)
{
	now_ms += ms;
	uv_update_time(&w->loop);
	uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void world_init(struct world *w)
{
	*w = (struct world){ 0 };
	uv_loop_init(&w->loop);
	w->bus = fake_bus_new();
	w->dir = directory_open(&w->loop, w->bus, &ops, w);
}

static void world_fini(struct world *w)
{
	directory_close(w->dir);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&w->loop), 0);
	fake_bus_free(w->bus);
}

static void put_phone(struct world *w, const char *fields)
{
	char text[256];
	snprintf(text, sizeof(text), "{\"id\":\"phone\",\"addresses\":[\"10.9.0.2\"]%s}", fields);
	fake_bus_put(w->bus, TOPIC_devices, BUS_APID, "phone", text);
	fake_bus_end_all(w->bus);
}

static void put_setting(struct world *w, const char *id, const char *value)
{
	char text[128];
	snprintf(text, sizeof(text), "{\"id\":\"%s\",\"value\":%s}", id, value);
	fake_bus_put(w->bus, TOPIC_settings, BUS_APID, id, text);
	fake_bus_end_all(w->bus);
}

static const char *entitlement(struct world *w)
{
	const struct device_view *v = directory_find_id(w->dir, "phone");
	OK((v->entitlement == ENTITLED) == (strcmp(v->profile, "walled") != 0));
	return entitlement_text(v->entitlement);
}

static void test_device_is_walled_at_the_second_it_expires(void)
{
	struct world w;
	char field[64];
	world_init(&w);
	int64_t end = now_ms + 5000;
	snprintf(field, sizeof(field), ",\"expires_at\":%lld", (long long)end);
	put_phone(&w, field);
	STR_IS(entitlement(&w), "entitled");
	pass(&w, 4999);
	STR_IS(entitlement(&w), "entitled");
	pass(&w, 1);
	STR_IS(entitlement(&w), "expired");
	INT_IS(w.walled_at, end);
	world_fini(&w);
}

static void test_each_reason_has_its_name(void)
{
	struct world w;
	world_init(&w);
	put_phone(&w, "");
	STR_IS(entitlement(&w), "entitled");
	put_phone(&w, ",\"active\":false");
	STR_IS(entitlement(&w), "inactive");
	put_phone(&w, ",\"expires_at\":1");
	STR_IS(entitlement(&w), "expired");
	put_phone(&w, ",\"active\":\"maybe\"");
	STR_IS(entitlement(&w), "record is invalid");
	put_phone(&w, "");
	put_setting(&w, "subscription_required", "true");
	STR_IS(entitlement(&w), "no subscription");
	put_phone(&w, ",\"subscription\":\"sub_1\"");
	STR_IS(entitlement(&w), "entitled");
	put_setting(&w, "premium_vpn_enabled", "false");
	STR_IS(entitlement(&w), "premium VPN is disabled");
	put_setting(&w, "premium_vpn_enabled", "7"); /* wrong: closed */
	STR_IS(entitlement(&w), "premium VPN is disabled");
	world_fini(&w);
}

/* W7 */
static void test_usage_over_quota_walls_until_it_is_cleared(void)
{
	struct world w;
	world_init(&w);
	put_phone(&w, "");
	fake_bus_put(w.bus, TOPIC_usage, BUS_WGD, "phone",
		"{\"device\":\"phone\",\"over_quota\":true,\"since\":1,\"used_bytes\":\"5\"}");
	fake_bus_end(w.bus, TOPIC_usage, BUS_WGD);
	STR_IS(entitlement(&w), "over quota");
	fake_bus_put(w.bus, TOPIC_usage, BUS_WGD, "phone", NULL);
	fake_bus_end(w.bus, TOPIC_usage, BUS_WGD);
	STR_IS(entitlement(&w), "entitled");
	world_fini(&w);
}

static void test_quota_period_that_is_wrong_never_ends(void)
{
	struct world w;
	world_init(&w);
	put_phone(&w, "");
	INT_IS(directory_settings(w.dir)->quota_period, QUOTA_PERIOD_MONTH);
	put_setting(&w, "quota_period", "\"week\"");
	INT_IS(directory_settings(w.dir)->quota_period, QUOTA_PERIOD_WEEK);
	put_setting(&w, "quota_period", "\"hour\"");
	INT_IS(directory_settings(w.dir)->quota_period, QUOTA_PERIOD_NEVER);
	fake_bus_put(w.bus, TOPIC_settings, BUS_APID, "quota_period", NULL);
	fake_bus_end_all(w.bus);
	INT_IS(directory_settings(w.dir)->quota_period, QUOTA_PERIOD_MONTH);
	world_fini(&w);
}

int main(void)
{
	TAP_RUN(test_device_is_walled_at_the_second_it_expires);
	TAP_RUN(test_each_reason_has_its_name);
	TAP_RUN(test_usage_over_quota_walls_until_it_is_cleared);
	TAP_RUN(test_quota_period_that_is_wrong_never_ends);
	return tap_done();
}
