/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/live_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { GATHER_BYTES = 60000, GATHER_ROWS = 1000 };

static bool may_see(const struct live_reader *r, const char *group)
{
	return group_set_has(r->actor.groups, *group ? group : NULL);
}

static void begin_rows(struct buf *b)
{
	buf_reset(b);
	buf_append_str(b, "{\"type\":\"rows\",\"rows\":[");
}

static void add_row(struct buf *b, const struct live_row *row, size_t n)
{
	if (n)
		buf_append_byte(b, ',');
	buf_append(b, row->text, row->len);
}

/* How many rows are for that reader, in b as a message. */
static size_t rows_for(const struct live *l, const struct live_reader *r, struct buf *b)
{
	size_t n = 0;

	begin_rows(b);
	for (size_t i = 0; i < l->n; i++) {
		if (may_see(r, l->rows[i].group) && live_filter_has(&r->filter, &l->rows[i]))
			add_row(b, &l->rows[i], n++);
	}
	buf_append_str(b, "]}");
	return b->failed ? 0 : n;
}

void live_tell_dropped(struct live_reader *r)
{
	char text[96];
	int len = snprintf(text, sizeof(text), "{\"type\":\"dropped\",\"dropped\":%llu}",
		(unsigned long long)r->dropped);

	r->told_dropped = r->dropped;
	websocket_send(r->ws, text, (size_t)len);
}

static void send_rows(struct live *l, struct live_reader *r, const struct buf *b, size_t n)
{
	if (!n)
		return;
	if (websocket_is_full(r->ws)) {
		r->dropped += n;
		l->dropped += n;
		return;
	}
	l->told += n;
	if (r->dropped != r->told_dropped)
		live_tell_dropped(r);
	websocket_send(r->ws, (const char *)b->data, b->len);
}

static bool takes_all(const struct live_reader *r)
{
	return !r->actor.groups && live_filter_is_empty(&r->filter);
}

/* Most readers want the same: that is made once. */
static void flush_rows(struct live *l)
{
	struct buf all, own;

	timer_stop(&l->gather);
	buf_init(&all, 0);
	buf_init(&own, 0);
	begin_rows(&all);
	for (size_t i = 0; i < l->n; i++)
		add_row(&all, &l->rows[i], i);
	buf_append_str(&all, "]}");
	list_foreach_safe (&l->readers[LIVE_ROWS], it) {
		struct live_reader *r = container_of(it, struct live_reader, node);

		if (!takes_all(r))
			send_rows(l, r, &own, rows_for(l, r, &own));
		else if (!all.failed)
			send_rows(l, r, &all, l->n);
	}
	for (size_t i = 0; i < l->n; i++)
		live_row_fini(&l->rows[i]);
	l->n = l->bytes = 0;
	buf_fini(&all);
	buf_fini(&own);
}

void live_on_gather(struct timer *t)
{
	flush_rows(t->data);
}

static int keep(struct live *l, const struct live_row *row)
{
	struct live_row *rows;

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;

		rows = realloc(l->rows, cap * sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		l->rows = rows;
		l->cap = cap;
	}
	l->rows[l->n++] = *row;
	l->bytes += row->len + 1;
	return 0;
}

/* Takes the row over. */
static void take_row(struct live *l, struct live_row *row)
{
	if (l->on_row)
		l->on_row(l->arg, row);
	if (l->is_closed || list_is_empty(&l->readers[LIVE_ROWS])) {
		live_row_fini(row);
		return;
	}
	if (l->bytes + row->len > GATHER_BYTES || l->n == GATHER_ROWS)
		flush_rows(l);
	if (keep(l, row)) {
		live_row_fini(row);
		return;
	}
	if (!timer_is_active(&l->gather))
		timer_start(&l->gather, LIVE_GATHER_MS, 0);
}

void live_on_query(void *arg, enum bus_event ev, const void *rec)
{
	struct live *l = arg;
	struct live_row row;

	(void)ev;
	if (!live_row_query(&l->source, rec, &row))
		take_row(l, &row);
}

void live_on_access(void *arg, enum bus_event ev, const void *rec)
{
	struct live *l = arg;
	struct live_row row;

	(void)ev;
	if (!live_row_access(&l->source, rec, &row))
		take_row(l, &row);
}
