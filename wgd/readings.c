/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/wgd.h"

#include "common/json.h"
#include "common/log.h"
#include "common/siphash.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

/* Which run of which interface: its counters begin at 0 with it. */
static uint64_t incarnation_of(const struct wgd *w, const struct tunnel *t)
{
	static const uint8_t key[16] = "culvert origin";
	char text[sizeof(w->boot_id) + 64];
	int len =
		snprintf(text, sizeof(text), "%s %s %d", w->boot_id, t->conf->interface, t->index);
	return siphash13(key, text, (size_t)len);
}

static uint64_t origin_of(uint64_t incarnation, const struct wg_key *public_key)
{
	uint64_t part;
	memcpy(&part, public_key->bytes, sizeof(part));
	return (incarnation ^ part) | 1;
}

/* ---- usage ---- */

static cJSON *usage_record(const struct wgd *w, const char *id, uint64_t used_bytes)
{
	char text[24];
	cJSON *o = cJSON_CreateObject();
	snprintf(text, sizeof(text), "%" PRIu64, used_bytes);
	return json_whole(o, cJSON_AddStringToObject(o, "device", id) &&
				     cJSON_AddBoolToObject(o, "over_quota", true) &&
				     cJSON_AddNumberToObject(o, "since", (double)w->usage.since) &&
				     cJSON_AddStringToObject(o, "used_bytes", text));
}

static void on_flip(void *arg, const char *id, bool over, uint64_t used_bytes)
{
	struct wgd *w = arg;
	log_notice("quota %s device=%s used_bytes=%" PRIu64, over ? "used up" : "free again", id,
		used_bytes);
	int err = over ? bus_state_set(
				 w->daemon->bus, TOPIC_usage, id, usage_record(w, id, used_bytes))
		       : bus_state_del(w->daemon->bus, TOPIC_usage, id);
	if (err)
		log_error("usage not published device=%s error=%s", id, strerror(-err));
	w->usage_due |= err == -ENOMEM;
	usage_file_touch(&w->usage_file, true);
}

struct over_list {
	const struct wgd *w;
	const char **ids;
	cJSON **records;
	size_t n;
};

static void on_over(void *arg, const char *id, uint64_t used_bytes)
{
	struct over_list *list = arg;
	list->ids[list->n] = id;
	list->records[list->n++] = usage_record(list->w, id, used_bytes);
}

static int publish_usage(struct wgd *w)
{
	size_t n = w->usage.over + 1;
	struct over_list list = { .w = w,
		.ids = calloc(n, sizeof(*list.ids)),
		.records = calloc(n, sizeof(*list.records)) };
	int err = list.ids && list.records ? 0 : -ENOMEM;
	if (!err) {
		usage_each_over(&w->usage, on_over, &list);
		err = bus_state_replace(
			w->daemon->bus, TOPIC_usage, list.ids, list.records, list.n);
	}
	free(list.ids);
	free(list.records);
	return err;
}

static bool is_device(void *arg, const char *id)
{
	struct wgd *w = arg;
	return directory_find_id(w->directory, id) != NULL;
}

void wgd_prune_usage(struct wgd *w)
{
	if (!w->usage_pruned && directory_is_current(w->directory)) {
		w->usage_pruned = true;
		usage_prune(&w->usage, is_device, w);
	}
}

/* ---- readings ---- */

static void count_usage(struct wgd *w, struct peer *peer, const struct wg_peer *is,
	uint64_t incarnation, uint64_t mono_ms, bool skip)
{
	struct peer_seen *seen = &peer->seen;
	uint64_t origin = origin_of(incarnation, &is->public_key);
	if (seen->handed_over && seen->counted_origin == origin &&
		usage_take_over(&w->usage, peer->id, origin, seen->counted_rx, seen->counted_tx))
		return;
	seen->handed_over = false;
	if (seen->counted_origin == origin && seen->counted_rx == is->rx_bytes &&
		seen->counted_tx == is->tx_bytes)
		return;
	if (usage_read(&w->usage, peer->id, origin, is->rx_bytes, is->tx_bytes, mono_ms, skip)) {
		log_error("no memory to count what a device uses device=%s", peer->id);
		return;
	}
	seen->counted_origin = origin;
	seen->counted_rx = is->rx_bytes;
	seen->counted_tx = is->tx_bytes;
}

void wgd_read(struct wgd *w, struct tunnel *t, const struct wg_device *dev)
{
	struct reading *reading = &w->readings[t->number];
	struct stats_counts counts = { 0 };
	uint64_t mono_ms = clock_mono_ms(), incarnation = incarnation_of(w, t);
	struct stats_now now = { clock_wall_ms(), (int64_t)mono_ms };
	bool skip = w->usage_lost && !reading->done;

	if (w->was_known) /* the period is a setting */
		usage_advance(&w->usage, now.wall_ms, mono_ms);
	usage_begin_reading(&w->usage);
	for (size_t i = 0; i < dev->count; i++) {
		const struct wg_peer *is = &dev->peers[i];
		struct peer *peer = peers_find_key(&w->peers, &is->public_key);
		if (!peer || peer->tunnel != t->number)
			continue;
		stats_note(&w->stats, peer, is, &now, &counts);
		count_usage(w, peer, is, incarnation, mono_ms, skip);
	}
	if (w->usage_due)
		w->usage_due = publish_usage(w) != 0;
	/* Before devices are known nobody is found, and nothing was read. */
	reading->done |= w->was_known;
	reading->counts = counts;
	if (w->usage.due_ms != UINT64_MAX)
		tunnel_read_within(t, w->usage.due_ms);
	usage_file_touch(&w->usage_file, false);
}

void wgd_set_silence(struct wgd *w)
{
	w->stats.silent_ms = w->conf->silent_hours * 3600000;
}

void wgd_report_readings(const struct wgd *w, cJSON *status)
{
	struct stats_counts sum = { 0 };
	for (size_t i = 0; i < w->tunnel_count; i++) {
		if (w->tunnels[i].state != TUNNEL_READY)
			continue; /* nobody is seen there at present */
		sum.online += w->readings[i].counts.online;
		sum.silent += w->readings[i].counts.silent;
		sum.flapping += w->readings[i].counts.flapping;
	}
	cJSON_AddNumberToObject(status, "peers_online", (double)sum.online);
	cJSON_AddNumberToObject(status, "peers_silent", (double)sum.silent);
	cJSON_AddNumberToObject(status, "peers_flapping", (double)sum.flapping);
	cJSON *quota = cJSON_AddObjectToObject(status, "quota");
	cJSON_AddStringToObject(quota, "period", quota_period_text(w->usage.period));
	cJSON_AddNumberToObject(quota, "since", (double)w->usage.since);
	cJSON_AddNumberToObject(quota, "devices", (double)w->usage.by_id.count);
	cJSON_AddNumberToObject(quota, "over", (double)w->usage.over);
	cJSON_AddStringToObject(
		quota, "file", w->usage_file.error ? strerror(-w->usage_file.error) : "good");
}

static void read_boot_id(struct wgd *w)
{
	FILE *file = fopen(BOOT_ID_FILE, "re");
	if (file && !fgets(w->boot_id, sizeof(w->boot_id), file))
		w->boot_id[0] = 0;
	if (file)
		fclose(file);
	w->boot_id[strcspn(w->boot_id, "\n")] = 0;
}

int wgd_readings_start(struct wgd *w)
{
	static const struct usage_ops ops = { on_flip };
	usage_init(&w->usage, &ops, w);
	int err = usage_file_open(
		&w->usage_file, &w->daemon->loop, w->conf->shared.state_dir, &w->usage);
	w->readings = calloc(w->tunnel_count + 1, sizeof(*w->readings));
	if (!err && !w->readings)
		err = -ENOMEM;
	if (err)
		return err;
	read_boot_id(w);
	wgd_set_silence(w);
	w->usage_lost = usage_file_load(&w->usage_file) != 0;
	if (w->usage_lost)
		log_notice("no usage is known, quotas count from now");
	return publish_usage(w);
}

void wgd_readings_stop(struct wgd *w)
{
	usage_file_close(&w->usage_file);
}

void wgd_readings_fini(struct wgd *w)
{
	usage_fini(&w->usage);
	free(w->readings);
}
