/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/flow.h"

#define TICK_MS 1000
/* Of one turn of the loop; the clock is looked at after each batch. */
#define TURN_NS 2000000
#define BATCH	32

bool flows_are_judged(const struct flows *fs, uint64_t epoch)
{
	return list_is_empty(&fs->list) ||
	       container_of(fs->list.next, struct flow, node)->epoch >= epoch;
}

static bool is_done(const struct flows *fs)
{
	return flows_are_judged(fs, fs->epoch);
}

static void judge_next(struct flows *fs)
{
	struct flow *f = container_of(fs->list.next, struct flow, node);

	if (!f->ops->is_allowed(f)) {
		fs->cut++;
		f->ops->cut(f);
		return;
	}
	f->epoch = fs->epoch;
	list_remove(&f->node);
	list_add(&fs->list, &f->node);
}

static void on_idle(uv_idle_t *idle)
{
	struct flows *fs = idle->data;
	uint64_t began = uv_hrtime();

	while (!is_done(fs)) {
		for (int i = 0; i < BATCH && !is_done(fs); i++)
			judge_next(fs);
		if (uv_hrtime() - began > TURN_NS)
			return;
	}
	uv_idle_stop(idle);
}

static void judge_all(struct flows *fs)
{
	fs->epoch++;
	uv_idle_start(&fs->idle, on_idle);
}

void flows_judge(struct flows *fs)
{
	fs->changed_at = uv_now(fs->idle.loop);
	judge_all(fs);
}

static void on_tick(struct timer *t)
{
	struct flows *fs = t->data;

	if (list_is_empty(&fs->list))
		timer_stop(t);
	else
		judge_all(fs);
}

void flows_init(struct flows *fs, uv_loop_t *loop)
{
	*fs = (struct flows){ .epoch = 1 };
	list_init(&fs->list);
	uv_idle_init(loop, &fs->idle);
	fs->idle.data = fs;
	timer_init(loop, &fs->tick, on_tick, fs);
}

void flows_close(struct flows *fs)
{
	uv_close((uv_handle_t *)&fs->idle, NULL);
	timer_close(&fs->tick, NULL);
}

void flow_add(struct flows *fs, struct flow *f, const struct flow_ops *ops)
{
	f->ops = ops;
	f->epoch = fs->epoch;
	if (list_is_empty(&fs->list))
		timer_start(&fs->tick, TICK_MS, TICK_MS);
	list_add(&fs->list, &f->node);
}

void flow_remove(struct flow *f)
{
	if (f->node.next)
		list_remove(&f->node);
}
