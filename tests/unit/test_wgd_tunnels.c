/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The topic `tunnels` while there is no memory for it (SPEC W1). The bus is a stand-in. */
#include "common/json.h"
#include "tests/unit/tap.h"
#include "wgd/wgd.h"
#include <errno.h>
#include <stdlib.h>

static unsigned without_memory; /* so many changes are not taken */
static unsigned replaced;
static char published[512]; /* the record of the one tunnel */

static int take(cJSON *record)
{
	char *text = json_format(record);

	cJSON_Delete(record);
	if (!without_memory)
		snprintf(published, sizeof(published), "%s", text);
	free(text);
	return without_memory && without_memory-- ? -ENOMEM : 0;
}

int bus_state_set(struct bus *b, enum bus_topic topic, const char *id, cJSON *record)
{
	(void)b;
	INT_IS(topic, TOPIC_tunnels);
	STR_IS(id, "mitm");
	return take(record);
}

int bus_state_replace(struct bus *b, enum bus_topic topic, const char *const *ids,
	cJSON *const *records, size_t n)
{
	(void)b;
	INT_IS(topic, TOPIC_tunnels);
	INT_IS(n, 1);
	STR_IS(ids[0], "mitm");
	replaced++;
	return take(records[0]);
}

/* ---- one tunnel ---- */

struct world {
	struct daemon daemon;
	struct conf_tunnel conf;
	struct tunnel tunnel;
	struct peer_tunnel peer_tunnel;
	struct wgd wgd;
};

static void open_world(struct world *w)
{
	*w = (struct world){ .conf = { .name = "mitm", .interface = "wgt0", .port = 51820 } };
	uv_loop_init(&w->daemon.loop);
	w->tunnel.conf = &w->conf;
	w->wgd.daemon = &w->daemon;
	w->wgd.tunnels = &w->tunnel;
	w->wgd.peer_tunnels = &w->peer_tunnel;
	w->wgd.tunnel_count = 1;
	timer_init(&w->daemon.loop, &w->wgd.unpublished, wgd_on_unpublished, &w->wgd);
	without_memory = replaced = 0;
	published[0] = 0;
}

/* Until nothing is due any more. */
static void close_world(struct world *w)
{
	uv_run(&w->daemon.loop, UV_RUN_DEFAULT);
	timer_close(&w->wgd.unpublished, NULL);
	uv_run(&w->daemon.loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&w->daemon.loop), 0);
}

static void test_changed_tunnel_is_published_alone(void)
{
	struct world w;

	open_world(&w);
	w.conf.port = 51999;
	wgd_publish_tunnel(&w.wgd, 0);
	OK(strstr(published, "\"port\":51999"));
	close_world(&w);
	INT_IS(replaced, 0);
}

static void test_changed_tunnel_that_there_was_no_memory_for_is_published_later(void)
{
	struct world w;

	open_world(&w);
	without_memory = 3;
	wgd_publish_tunnel(&w.wgd, 0);
	w.conf.port = 52000; /* as it is then */
	wgd_publish_tunnel(&w.wgd, 0);
	OK(!*published);
	close_world(&w);
	OK(strstr(published, "\"port\":52000"));
	INT_IS(replaced, 2);
}

static void test_nothing_is_begun_while_wgd_ends(void)
{
	struct world w;

	open_world(&w);
	w.wgd.closing = true;
	without_memory = 1;
	wgd_publish_tunnel(&w.wgd, 0);
	OK(!timer_is_active(&w.wgd.unpublished));
	close_world(&w);
}

int main(void)
{
	TAP_RUN(test_changed_tunnel_is_published_alone);
	TAP_RUN(test_changed_tunnel_that_there_was_no_memory_for_is_published_later);
	TAP_RUN(test_nothing_is_begun_while_wgd_ends);
	return tap_done();
}
