/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/statistics.h"
#include "apid/statistics_write.h"
#include "common/log.h"

#include <errno.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After so many seconds another process publishes, which has written the same. */
enum { OTHER_TICKS = 15 };
enum { TICK_MS = 1000, LISTS_MAX = 50000, DOMAINS_MAX = 50000 };

const char *const statistics_step_texts[STEPS + 1] = { "minute", "hour", "day", NULL };
const int64_t statistics_step_s[STEPS] = { 60, 3600, 86400 };

/* ---- gathering ---- */

/* Privacy of a device by its own record, its group's or the defaults; the strictest when it cannot
 * be read. */
static int privacy_in(const char *text, size_t len, bool *has)
{
	cJSON *json = json_parse(text, len);
	const cJSON *value = json_get(json, "privacy");
	int privacy = PRIVACY_NONE;

	*has = !json || value;
	if (cJSON_IsString(value))
		enum_parse(ENUM_ID_privacy, value->valuestring, &privacy);
	cJSON_Delete(json);
	return privacy;
}

static bool stores_nothing(const struct statistics *s, const char *device)
{
	const struct table_row *row = table_find(store_table(s->store, TOPIC_devices), device);
	const struct table_row *group =
		row && row->group ? table_find(store_table(s->store, TOPIC_groups), row->group)
				  : NULL;
	const struct rec_policy_fields *defaults =
		&publisher_settings(s->publisher)->device_defaults;
	bool has = false;
	int privacy;

	if (!row)
		return true;
	privacy = privacy_in(row->text, row->len, &has);
	if (!has && group)
		privacy = privacy_in(group->text, group->len, &has);
	if (!has && (defaults->head.present >> REC_BIT_policy_fields_privacy & 1)) {
		privacy = defaults->privacy;
		has = true;
	}
	return has ? privacy == PRIVACY_NONE : defaults->head.closed;
}

/* The value of a key; made zeroed when there is room. */
static void *take(struct statistics *s, struct hmap *m, const char *key, size_t size, size_t max)
{
	void *value = hmap_find_str(m, key);

	if (value)
		return value;
	value = m->count < max ? calloc(1, size) : NULL;
	if (value && hmap_set_str(m, key, value)) {
		free(value);
		value = NULL;
	}
	if (!value)
		s->left_out++;
	return value;
}

static void add_tally(struct statistics *s, const char *device, const struct tally *more)
{
	struct tally *t = take(s, &s->now.devices, device, sizeof(*t), SIZE_MAX);

	if (t)
		tally_add(t, more);
}

void statistics_add(struct statistics *s, const char *device, const struct tally *more)
{
	/* dnsd and proxyd have looked already, fwd has not. */
	if (!more->refused_packets || !stores_nothing(s, device))
		add_tally(s, device, more);
}

static void add_list(struct statistics *s, const char *key, uint64_t hits)
{
	uint64_t *n = take(s, &s->now.lists, key, sizeof(*n), LISTS_MAX);

	if (n)
		*n += hits;
}

void statistics_add_list(struct statistics *s, const char *device, const char *list, uint64_t hits)
{
	char key[140];

	snprintf(key, sizeof(key), "%.64s\n%.64s", device, list);
	add_list(s, key, hits);
}

static void add_domain(struct statistics *s, const char *key, const struct domain_hits *more)
{
	struct domain_hits *d = take(s, &s->now.domains, key, sizeof(*d), DOMAINS_MAX);

	if (!d)
		return;
	d->hits += more->hits;
	d->bytes += more->bytes;
}

void statistics_add_row(struct statistics *s, const struct live_row *r)
{
	struct addr literal;
	const char *domain =
		addr_parse(r->host, &literal) ? watches_domain(&s->domains_of, r->host) : r->host;
	char key[400];

	if (!domain[0] || strlen(domain) > 253)
		return;
	snprintf(key, sizeof(key), "%.64s\n%d\n%.253s", r->device, r->verdict, domain);
	add_domain(s, key, &(struct domain_hits){ 1, (uint64_t)r->bytes });
}

/* ---- writing ---- */

static int64_t this_minute(void)
{
	int64_t now = clock_wall_ms() / 1000;

	return now - now % 60;
}

static void gathered_init(struct gathered *g)
{
	g->at = this_minute();
	hmap_init(&g->devices, free);
	hmap_init(&g->lists, free);
	hmap_init(&g->domains, free);
}

static void gathered_fini(struct gathered *g)
{
	hmap_fini(&g->devices);
	hmap_fini(&g->lists);
	hmap_fini(&g->domains);
}

/* What was sent was not written: it is gathered again, for its own minute. */
static void take_back(struct statistics *s)
{
	s->now.at = s->sent.at;
	hmap_foreach (&s->sent.devices, it)
		add_tally(s, it.key, it.value);
	hmap_foreach (&s->sent.lists, it)
		add_list(s, it.key, *(const uint64_t *)it.value);
	hmap_foreach (&s->sent.domains, it)
		add_domain(s, it.key, it.value);
}

static void on_written(void *arg, struct db_batch *b, int status)
{
	struct statistics *s = arg;

	if (!status && !s->is_trimmed && statistics_trim(s, b))
		return;
	/* A purge that fails comes again with the next write. */
	if (status && !s->is_trimmed) {
		s->failures++;
		log_notice("statistics were not written error=%s", db_batch_error(b));
		take_back(s);
	}
	gathered_fini(&s->sent);
	s->is_busy = false;
}

static void write_gathered(struct statistics *s)
{
	struct db_batch *b = db_batch_new();

	if (!b)
		return;
	s->is_busy = true;
	s->is_trimmed = false;
	s->sent = s->now;
	gathered_init(&s->now);
	s->rows_written += statistics_add_writes(&s->sent, b);
	statistics_add_purge(s, b, clock_wall_ms() / 1000);
	store_submit(s->store, b, on_written, s);
}

static void on_tick(struct timer *t)
{
	struct statistics *s = t->data;
	uint64_t now = clock_mono_ms();

	if (!store_is_ready(s->store))
		return;
	s->idle_ticks = store_is_publisher(s->store) ? 0 : s->idle_ticks + 1;
	if (s->idle_ticks >= OTHER_TICKS) {
		s->idle_ticks = 0;
		gathered_fini(&s->now);
		gathered_init(&s->now);
	} else if (!s->idle_ticks && !s->is_busy &&
		   now - s->written_ms >= (uint64_t)s->options.write_s * 1000) {
		s->written_ms = now;
		write_gathered(s);
	}
}

/* ---- life ---- */

int statistics_open(struct statistics *s, uv_loop_t *loop)
{
	gathered_init(&s->now);
	s->domains_of.psl = psl_builtin();
	s->written_ms = clock_mono_ms();
	timer_init(loop, &s->timer, on_tick, s);
	timer_start(&s->timer, TICK_MS, TICK_MS);
	return 0;
}

void statistics_close(struct statistics *s)
{
	if (s->timer.on_fire)
		timer_close(&s->timer, NULL);
}

void statistics_fini(struct statistics *s)
{
	gathered_fini(&s->now);
	gathered_fini(&s->sent);
}

void statistics_fill_status(const struct statistics *s, cJSON *status)
{
	cJSON *o = cJSON_AddObjectToObject(status, "statistics");

	cJSON_AddNumberToObject(o, "rows_written", (double)s->rows_written);
	cJSON_AddNumberToObject(o, "left_out", (double)s->left_out);
	cJSON_AddNumberToObject(o, "failures", (double)s->failures);
}
