/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/counts.h"

#include "common/log.h"
#include "fwd/marks.h"
#include "fwd/sets.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int append(struct counts *c, const struct refusal *r)
{
	if (c->found_count == c->found_cap) {
		size_t cap = c->found_cap ? c->found_cap * 2 : 64;
		struct refusal *v = realloc(c->found, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		c->found = v;
		c->found_cap = cap;
	}
	c->found[c->found_count++] = *r;
	return 0;
}

static struct refusal *find_or_add(struct counts *c, const uint8_t *key, size_t len)
{
	struct refusal *r = hmap_find(&c->last, key, len);
	if (r)
		return r;
	uint32_t mark;
	memcpy(&mark, key + len - sizeof(mark), sizeof(mark));
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->device = addr_from_bytes(len == 4 + sizeof(mark) ? AF_INET : AF_INET6, key);
	r->reason = (enum reason)((mark >> c->mark_shift & MARK_REASON) >> MARK_REASON_SHIFT);
	if (hmap_set(&c->last, key, len, r)) {
		free(r);
		return NULL;
	}
	return r;
}

int counts_take(struct counts *c, const uint8_t *key, size_t len, uint64_t packets, uint64_t bytes)
{
	if (len != 4 + sizeof(uint32_t) && len != 16 + sizeof(uint32_t))
		return 0;
	struct refusal *r = find_or_add(c, key, len);
	if (!r)
		return -ENOMEM;
	/* Less than before: it expired meanwhile and began anew. */
	bool anew = packets < r->packets;
	struct refusal more = { .device = r->device,
		.reason = r->reason,
		.packets = packets - (anew ? 0 : r->packets),
		.bytes = bytes - (anew ? 0 : r->bytes) };
	int err = more.packets ? append(c, &more) : 0;
	if (!err) {
		r->packets = packets;
		r->bytes = bytes;
	}
	return err;
}

static void on_elem(void *arg, const struct nft_elem *e)
{
	struct counts *c = arg;
	if (!e->counted)
		return;
	int err = counts_take(c, e->key, e->key_len, e->packets, e->bytes);
	c->err = c->err ? c->err : err;
}

static void on_work(uv_work_t *work)
{
	struct counts *c = work->data;
	struct nft n;
	c->err = nft_open(&n);
	for (int id = SETS_COUNTED; id < SETS_PROVED && !c->err; id++) {
		int err = nft_read_set(&n, set_info((enum set_id)id)->name, on_elem, c);
		c->err = c->err || err == -ENOENT ? c->err : err;
	}
	nft_close(&n);
}

static void on_worked(uv_work_t *work, int status)
{
	struct counts *c = work->data;
	c->working = false;
	if (status || c->err)
		log_debug("refusals not read error=%s", strerror(-(status ? status : c->err)));
	for (size_t i = 0; i < c->found_count && !c->closing; i++)
		c->on_refusal(c->arg, &c->found[i]);
	c->found_count = 0;
	/* Elements expire in the kernel; what is remembered of them must not grow for ever. */
	if (c->last.count > 2 * REFUSED_MAX)
		hmap_clear(&c->last);
}

void counts_read(struct counts *c)
{
	if (c->working || c->closing)
		return;
	c->work.data = c;
	c->working = uv_queue_work(c->timer.handle.loop, &c->work, on_work, on_worked) == 0;
}

static void on_timer(struct timer *t)
{
	counts_read(t->data);
}

int counts_open(struct counts *c, uv_loop_t *loop, unsigned mark_shift,
	void (*on_refusal)(void *arg, const struct refusal *r), void *arg)
{
	*c = (struct counts){ .mark_shift = mark_shift, .on_refusal = on_refusal, .arg = arg };
	hmap_init(&c->last, free);
	int err = timer_init(loop, &c->timer, on_timer, c);
	if (!err)
		timer_start(&c->timer, COUNTS_INTERVAL_MS, COUNTS_INTERVAL_MS);
	return err;
}

void counts_close(struct counts *c)
{
	c->closing = true;
	if (c->timer.on_fire)
		timer_close(&c->timer, NULL);
}

void counts_fini(struct counts *c)
{
	hmap_fini(&c->last);
	free(c->found);
	c->found = NULL;
}
