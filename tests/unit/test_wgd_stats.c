/* SPDX-License-Identifier: GPL-3.0-or-later */
/* W6: what is said of a device, with a clock of the test's own. */
#include "wgd/stats.h"

#include "tests/unit/tap.h"
#include <stdlib.h>

#define WALL  INT64_C(1773230400000)
#define HOURS INT64_C(3600000)

struct world {
	struct stats stats;
	struct peer peer;
	struct wg_peer is;
	struct stats_now now;
	struct stats_counts counts;
};

/* In the bus's place: the edges in order, and how many statistics. */
static char edges[256];
static int stats_sent;

void bus_event_send(struct bus *b, enum bus_event ev, cJSON *record)
{
	(void)b;
	if (ev == EVENT_wgd_stats) {
		stats_sent++;
	} else {
		strcat(edges, cJSON_GetObjectItem(record, "edge")->valuestring);
		strcat(edges, " ");
	}
	cJSON_Delete(record);
}

static void world_init(struct world *w)
{
	edges[0] = 0;
	stats_sent = 0;
	*w = (struct world){ .stats.silent_ms = 24 * HOURS,
		.peer = { .id = "phone", .entitled = true },
		.now = { WALL, 1000000 } };
}

static void pass(struct world *w, int64_t ms)
{
	w->now.wall_ms += ms;
	w->now.mono_ms += ms;
	w->counts = (struct stats_counts){ 0 };
	stats_note(&w->stats, &w->peer, &w->is, &w->now, &w->counts);
}

static void at(struct world *w, const char *address, uint16_t port, int64_t ms)
{
	addr_parse(address, &w->is.endpoint.addr);
	w->is.endpoint.port = port;
	pass(w, ms);
}

static void test_device_is_offline_180_s_after_its_handshake(void)
{
	struct world w;
	world_init(&w);
	pass(&w, 0);
	w.is.handshake_at = w.now.wall_ms;
	pass(&w, 10000);
	STR_IS(edges, "online ");
	INT_IS(w.counts.online, 1);
	pass(&w, 169999); /* 179.999 s */
	STR_IS(edges, "online ");
	pass(&w, 1);
	STR_IS(edges, "online offline ");
	INT_IS(w.counts.online, 0);
}

static void test_jump_of_the_wall_clock_makes_nobody_online_offline_or_silent(void)
{
	struct world w;
	world_init(&w);
	w.is.handshake_at = w.now.wall_ms;
	pass(&w, 0);
	w.now.wall_ms += 48 * HOURS;
	pass(&w, 10000);
	w.is.handshake_at = w.now.wall_ms - 1000;
	pass(&w, 10000);
	w.now.wall_ms -= 96 * HOURS;
	pass(&w, 10000);
	w.is.handshake_at = w.now.wall_ms - 48 * HOURS; /* seen new, so it is not older */
	pass(&w, 10000);
	STR_IS(edges, "online ");
}

static void test_silent_is_said_once_until_online_again(void)
{
	struct world w;
	world_init(&w);
	pass(&w, 0); /* never had a handshake */
	pass(&w, 24 * HOURS - 1);
	STR_IS(edges, "");
	pass(&w, 1);
	pass(&w, HOURS);
	STR_IS(edges, "silent ");
	INT_IS(w.counts.silent, 1);
	w.is.handshake_at = w.now.wall_ms;
	pass(&w, 1000);
	STR_IS(edges, "silent online ");
	INT_IS(w.counts.silent, 0);
	pass(&w, 25 * HOURS);
	STR_IS(edges, "silent online offline silent ");
}

static void test_handshake_of_long_ago_is_silent_at_the_first_reading(void)
{
	struct world w;
	world_init(&w);
	w.is.handshake_at = w.now.wall_ms - 30 * HOURS;
	pass(&w, 0);
	STR_IS(edges, "silent ");
}

static void test_who_is_not_entitled_is_not_silent(void)
{
	struct world w;
	world_init(&w);
	w.peer.entitled = false;
	pass(&w, 0);
	pass(&w, 48 * HOURS);
	w.peer.entitled = true;
	pass(&w, 1000);
	STR_IS(edges, "");
	pass(&w, 24 * HOURS);
	STR_IS(edges, "silent ");
	w.peer.entitled = false;
	pass(&w, 1000);
	INT_IS(w.counts.silent, 0);
}

static void test_zero_hours_look_at_no_silence(void)
{
	struct world w;
	world_init(&w);
	w.stats.silent_ms = 0;
	pass(&w, 0);
	pass(&w, 1000 * HOURS);
	STR_IS(edges, "");
}

static void test_one_key_in_two_places_flaps(void)
{
	struct world w;
	world_init(&w);
	at(&w, "192.0.2.1", 1, 0);
	at(&w, "192.0.2.2", 1, 10000);
	at(&w, "192.0.2.1", 1, 10000);
	STR_IS(edges, "");
	at(&w, "192.0.2.2", 1, 10000);
	STR_IS(edges, "flapping ");
	INT_IS(w.counts.flapping, 1);
	for (int i = 0; i < 50; i++)
		at(&w, i % 2 ? "192.0.2.2" : "192.0.2.1", 1, 10000);
	STR_IS(edges, "flapping "); /* once in ten minutes */
	for (int i = 0; i < 20; i++)
		at(&w, i % 2 ? "192.0.2.2" : "192.0.2.1", 1, 10000);
	STR_IS(edges, "flapping flapping ");
}

static void test_roaming_new_ports_and_slow_changes_are_no_flapping(void)
{
	struct world w;
	char address[24];
	world_init(&w);
	for (int i = 1; i < 20; i++) { /* onwards, never back */
		snprintf(address, sizeof(address), "192.0.2.%d", i);
		at(&w, address, 1, 10000);
	}
	for (int i = 0; i < 20; i++) /* a NAT's new ports */
		at(&w, "192.0.2.50", (uint16_t)i, 1000);
	for (int i = 0; i < 20; i++) /* home and work */
		at(&w, i % 2 ? "192.0.2.1" : "2001:db8::1", 1, 61000);
	STR_IS(edges, "");
}

static void test_statistics_of_one_device_are_at_least_5_s_apart_and_the_last_comes(void)
{
	struct world w;
	world_init(&w);
	for (int i = 0; i < 20; i++) {
		w.is.rx_bytes++;
		pass(&w, 250);
	}
	INT_IS(stats_sent, 1);
	pass(&w, 250);
	INT_IS(stats_sent, 2);
	pass(&w, 10000);
	INT_IS(stats_sent, 2); /* nothing moved */
}

int main(void)
{
	TAP_RUN(test_device_is_offline_180_s_after_its_handshake);
	TAP_RUN(test_jump_of_the_wall_clock_makes_nobody_online_offline_or_silent);
	TAP_RUN(test_silent_is_said_once_until_online_again);
	TAP_RUN(test_handshake_of_long_ago_is_silent_at_the_first_reading);
	TAP_RUN(test_who_is_not_entitled_is_not_silent);
	TAP_RUN(test_zero_hours_look_at_no_silence);
	TAP_RUN(test_one_key_in_two_places_flaps);
	TAP_RUN(test_roaming_new_ports_and_slow_changes_are_no_flapping);
	TAP_RUN(test_statistics_of_one_device_are_at_least_5_s_apart_and_the_last_comes);
	return tap_done();
}
