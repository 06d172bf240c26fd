/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "syncd/directus_brake.h"
#include "syncd/directus_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS      1000
#define SOON_MS	      10
#define HINT_GAP_MS   200 /* between the starts of rounds that hints bring */
#define DOUBLINGS_MAX 10
#define ROWS_MORE     10000 /* than twice as many as were counted */

static void next_unit(struct directus *d);
static void ask_stamp(struct directus *d);

static struct directus_unit *current(const struct directus *d)
{
	return d->units[d->at];
}

/* ---- the end of a round ---- */

/* The next round: soon where one is wanted, else by the poll's own measure, which hints do not put
 * off. */
void directus_round_plan(struct directus *d, uint64_t now)
{
	uint64_t at = d->poll_at;

	if (d->again)
		at = now + SOON_MS;
	if ((d->hinted || d->hinted_all) && d->round_at + HINT_GAP_MS < at)
		at = d->round_at + HINT_GAP_MS;
	timer_start(&d->timer, at > now ? at - now : 0, 0);
}

static void publish_empty(struct directus *d)
{
	struct hmap none;

	hmap_init(&none, NULL);
	for (size_t i = 0; i < d->count && !d->told_empty; i++) {
		const struct directus_unit *u = d->units[i];

		if (!u->is_list && u->part_count == 1 && !*u->collections[0])
			d->ops->on_records(d->arg, u->topic, &none, 0);
	}
	d->told_empty = true;
	hmap_fini(&none);
}

static unsigned shortest_poll(const struct directus *d)
{
	unsigned poll_s = d->conf.poll_s;

	for (size_t i = 0; i < d->count; i++) {
		if (d->units[i]->poll_s < poll_s)
			poll_s = d->units[i]->poll_s;
	}
	return poll_s;
}

static void end_round(struct directus *d)
{
	uint64_t now = clock_mono_ms();

	d->busy = false;
	d->rounds++;
	d->failures = 0;
	d->good_at = clock_wall_ms();
	if (d->round_full)
		d->full_at = now;
	if (!d->round_hint)
		d->poll_at = now + shortest_poll(d) * 1000ull;
	if (*d->error)
		log_notice("Directus can be read again");
	d->error[0] = 0;
	publish_empty(d);
	if (!d->round_hint)
		d->ops->on_round(d->arg, d->round_full);
	directus_brake_save(d);
	directus_round_plan(d, now);
}

void directus_round_abort(struct directus *d, const struct directus_answer *a)
{
	unsigned doublings = d->failures < DOUBLINGS_MAX ? d->failures : DOUBLINGS_MAX;
	uint64_t delay = (uint64_t)RETRY_MS << doublings;

	if (delay > (uint64_t)d->conf.poll_s * 1000)
		delay = (uint64_t)d->conf.poll_s * 1000;
	if (delay < (uint64_t)a->retry_s * 1000)
		delay = (uint64_t)a->retry_s * 1000;
	d->busy = false;
	d->failures++;
	d->again = true;
	d->full |= d->round_full;
	if (strcmp(d->error, a->text) != 0) {
		snprintf(d->error, sizeof(d->error), "%s", a->text);
		log_warning("Directus cannot be read, the last good state stays error=\"%s\"",
			d->error);
		d->ops->on_alarm(d->arg, "directus", d->error);
	}
	timer_start(&d->timer, delay, 0);
}

static void abort_memory(struct directus *d)
{
	struct directus_answer a = { .text = "out of memory" };

	directus_round_abort(d, &a);
}

/* One unit's collection is not to be had: the others are. */
void directus_round_skip(struct directus *d, const char *why)
{
	struct directus_unit *u = current(d);
	char text[192];

	snprintf(text, sizeof(text), "%s: %.120s", u->collections[d->part], why);
	directus_unit_fail(d, u, text);
	u->is_proved = false;
	directus_unit_reset(u, d->conf.text_max);
	d->at++;
	next_unit(d);
}

/* ---- reading a unit ---- */

static void read_part(struct directus *d);

static int on_row(void *arg, const cJSON *row)
{
	struct directus *d = arg;

	return directus_unit_add(
		current(d), &d->conf.mapping, d->part, row, d->ops->on_row, d->arg);
}

void directus_round_publish(struct directus *d)
{
	struct directus_unit *u = current(d);
	size_t len;
	uint8_t *text;

	if (u->is_list) {
		text = buf_release(&u->text, &len);
		if (d->ops->on_list(d->arg, u->id, text, len)) {
			abort_memory(d);
			return;
		}
	} else {
		if (u->topic == TOPIC_device_prefs)
			mapping_finish_prefs(&u->records);
		d->ops->on_records(
			d->arg, u->topic, &u->records, u->next_skipped ? 0 : u->begun_at);
	}
	if (!u->known || *u->error)
		log_info("collection of Directus read id=%s rows=%lu left_out=%lu", u->id, u->rows,
			u->next_skipped);
	directus_unit_settle(u);
	u->is_short = u->is_proved = false;
	u->error[0] = 0;
	u->skipped = u->next_skipped;
	u->read_at = clock_wall_ms();
	hmap_clear(&u->records);
	d->at++;
	next_unit(d);
}

/* Changed or not: it is not known, or is_short or is_proved. */
void directus_round_reread(struct directus *d)
{
	d->part = 0;
	ask_stamp(d);
}

/* Rows were removed since they were counted, or a page was lost, with what it blocks: it is counted
 * and read once more. */
static void read_again(struct directus *d)
{
	struct directus_unit *u = current(d);

	if (u->is_short) {
		u->is_short = false;
		directus_round_skip(d, "fewer rows come than are counted");
		return;
	}
	u->is_short = true;
	directus_round_reread(d);
}

static void on_read(void *arg, const struct directus_answer *a)
{
	struct directus *d = arg;

	if (a->outcome == DIRECTUS_OK && directus_unit_lacks(current(d), d->part, d->read.rows)) {
		read_again(d);
	} else if (a->outcome == DIRECTUS_OK) {
		d->part++;
		read_part(d);
	} else if (a->outcome == DIRECTUS_FORBIDDEN || a->outcome == DIRECTUS_REFUSED) {
		directus_round_skip(d, a->text);
	} else {
		directus_unit_reset(current(d), d->conf.text_max);
		directus_round_abort(d, a);
	}
}

/* Rows may come while they are read; without an end they are none of a database. */
static uint64_t rows_max(const struct directus_unit *u, unsigned part)
{
	return u->counts[part] < 0 ? 0 : 2 * (uint64_t)u->counts[part] + ROWS_MORE;
}

static void read_part(struct directus *d)
{
	struct directus_unit *u = current(d);

	while (d->part < u->part_count && !*u->collections[d->part])
		d->part++;
	if (d->part == u->part_count) {
		directus_brake_judge(d);
		return;
	}
	d->read = (struct directus_read){ .client = &d->client,
		.page = d->conf.page,
		.rows_max = rows_max(u, d->part),
		.on_row = on_row,
		.on_end = on_read,
		.arg = d };
	memcpy(d->read.collection, u->collections[d->part], sizeof(d->read.collection));
	if (directus_read_start(&d->read))
		abort_memory(d);
}

/* ---- has it changed? ---- */

static void on_stamp(void *arg, struct directus_answer *a)
{
	struct directus *d = arg;
	struct directus_unit *u = current(d);

	/* Without date_updated, or the right to it, there is no stamp: it is read every time. */
	if (a->outcome != DIRECTUS_OK && a->outcome != DIRECTUS_FORBIDDEN &&
		a->outcome != DIRECTUS_BAD_QUERY && a->outcome != DIRECTUS_REFUSED) {
		directus_round_abort(d, a);
		return;
	}
	directus_unit_take_stamp(u, d->part, directus_answer_data(a));
	d->part++;
	ask_stamp(d);
}

static void ask_stamp(struct directus *d)
{
	struct directus_unit *u = current(d);
	char target[DIRECTUS_NAME_MAX + 96];

	while (d->part < u->part_count && !*u->collections[d->part])
		d->part++;
	if (d->part < u->part_count) {
		snprintf(target, sizeof(target),
			"/items/%s?aggregate[count]=*&aggregate[max]=id,date_updated,date_created",
			u->collections[d->part]);
		if (directus_ask(&d->client, "GET", target, NULL, on_stamp, d))
			abort_memory(d);
		return;
	}
	d->part = 0;
	if (!d->round_full && !u->is_proved && !directus_unit_is_changed(u)) {
		d->at++;
		next_unit(d);
		return;
	}
	directus_unit_reset(u, d->conf.text_max);
	directus_unit_begin(u);
	read_part(d);
}

/* Those without a collection, and all but the named in a round that a hint brought, are not looked
 * at. */
static bool is_left_out(const struct directus *d, const struct directus_unit *u)
{
	bool is_due = d->round_all || !u->looked_at ||
		      d->round_at + SOON_MS >= u->looked_at + u->poll_s * 1000ull;

	return (u->part_count == 1 && !*u->collections[0]) || u->missing ||
	       (!u->hinted && (d->round_hint || !is_due));
}

static void next_unit(struct directus *d)
{
	while (d->at < d->count && is_left_out(d, current(d)))
		d->at++;
	if (d->at == d->count) {
		end_round(d);
		return;
	}
	current(d)->hinted = false;
	current(d)->looked_at = d->round_at;
	d->part = 0;
	ask_stamp(d);
}

/* ---- rounds ---- */

static void start_round(struct directus *d)
{
	uint64_t now = clock_mono_ms();

	d->busy = true;
	d->round_at = now;
	/* A hint that came before the time of the poll is all that there is to look at. */
	d->round_hint = d->hinted && !d->hinted_all && !d->again && !d->full && now < d->poll_at;
	d->round_all = d->again || d->full || d->hinted_all;
	d->hinted = d->hinted_all = false;
	d->round_full = !d->round_hint &&
			(d->full || !d->full_at || now - d->full_at >= d->conf.full_s * 1000ull);
	d->round_all |= d->round_full;
	d->again = d->full = false;
	d->at = 0;
	if (d->round_hint || !*d->conf.mapping.collections[PART_APPS])
		next_unit(d);
	else if (directus_group_ask(d))
		abort_memory(d);
}

void directus_round_go(struct directus *d)
{
	d->at = 0;
	next_unit(d);
}

static void on_timer(struct timer *t)
{
	start_round(t->data);
}

void directus_sync(struct directus *d, bool full)
{
	d->full |= full;
	d->again = true;
	if (!d->busy && !d->closing)
		timer_start(&d->timer, 0, 0);
}

void directus_start(struct directus *d)
{
	timer_start(&d->timer, 0, 0);
}

/* ---- life ---- */

int directus_open(struct directus *d, const struct directus_conf *conf, const char *state_dir,
	const struct directus_access *access, uv_loop_t *loop, struct resolver *resolver,
	struct tls_ctx *tls, const struct directus_ops *ops, void *arg)
{
	int err;

	*d = (struct directus){ .conf = *conf, .ops = ops, .arg = arg };
	timer_init(loop, &d->timer, on_timer, d);
	err = directus_brake_open(d, state_dir);
	if (err)
		return err;
	err = directus_client_open(&d->client, access, loop, resolver, tls);
	if (!err)
		err = directus_add_units(d);
	return err;
}

void directus_close(struct directus *d)
{
	d->closing = true;
	directus_brake_save(d);
	directus_client_close(&d->client);
	timer_close(&d->timer, NULL);
}

void directus_fini(struct directus *d)
{
	directus_client_fini(&d->client);
	directus_read_fini(&d->read);
	directus_brake_fini(d);
	for (size_t i = 0; i < d->count; i++)
		directus_unit_free(d->units[i]);
	free(d->units);
	d->units = NULL;
	d->count = 0;
}
