/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/cut.h"

#include "common/log.h"
#include "fwd/marks.h"
#include <string.h>

static void on_work(uv_work_t *work)
{
	struct cut *c = work->data;
	c->err = conntrack_delete(&c->running, CT_MARK_EPOCH, c->running_epoch, &c->result);
}

static void on_worked(uv_work_t *work, int status)
{
	struct cut *c = work->data;
	c->working = false;
	int err = status ? status : c->err;
	if (err)
		/* The rules refuse such flows all the same. */
		log_warning("connections not read error=%s", strerror(-err));
	else if (c->result.deleted)
		log_info("connections cut count=%zu seen=%zu", c->result.deleted, c->result.seen);
	c->runs++;
	c->deleted += c->result.deleted;
	conntrack_targets_fini(&c->running);
	conntrack_targets_init(&c->running);
}

static void on_due(struct timer *t)
{
	struct cut *c = t->data;
	if (c->working) {
		timer_start(t, CUT_DELAY_MS, 0);
		return;
	}
	if (conntrack_targets_move(&c->running, &c->due))
		log_error("no memory for connections to cut");
	c->running_epoch = c->due_epoch;
	c->result = (struct conntrack_result){ 0 };
	c->work.data = c;
	c->working = uv_queue_work(t->handle.loop, &c->work, on_work, on_worked) == 0;
}

int cut_open(struct cut *c, uv_loop_t *loop)
{
	*c = (struct cut){ 0 };
	conntrack_targets_init(&c->due);
	conntrack_targets_init(&c->running);
	return timer_init(loop, &c->timer, on_due, c);
}

void cut_close(struct cut *c)
{
	c->closing = true;
	if (c->timer.on_fire)
		timer_close(&c->timer, NULL);
}

void cut_fini(struct cut *c)
{
	conntrack_targets_fini(&c->due);
	conntrack_targets_fini(&c->running);
}

void cut_schedule(struct cut *c, struct conntrack_targets *targets, uint32_t epoch)
{
	if (conntrack_targets_are_empty(targets) || c->closing)
		return;
	if (conntrack_targets_move(&c->due, targets))
		log_error("no memory for connections to cut");
	c->due_epoch = epoch;
	/* A later change does not put off an earlier one for ever. */
	if (!timer_is_active(&c->timer))
		timer_start(&c->timer, CUT_DELAY_MS, 0);
}
