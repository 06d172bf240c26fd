/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/path.h"

#include "common/log.h"
#include <errno.h>
#include <string.h>

static void look(struct path *p)
{
	uint64_t now = clock_mono_ms();
	int err = path_probe_reader(&p->nl, p->queue);
	if (!err)
		p->seen_ms = now;
	else if (err != -ENODEV)
		log_debug("queue not seen error=%s", strerror(-err));
	p->is_on = p->seen_ms && now - p->seen_ms <= PATH_GRACE_MS;
}

static void on_timer(struct timer *t)
{
	struct path *p = t->data;
	bool was_on = p->is_on;
	look(p);
	if (p->is_on != was_on)
		p->on_change(p->arg);
}

int path_open(struct path *p, uv_loop_t *loop, enum path_queue_kind kind, uint16_t queue,
	void (*on_change)(void *arg), void *arg)
{
	*p = (struct path){ .queue = queue, .on_change = on_change, .arg = arg };
	if (kind == PATH_QUEUE_NONE)
		return 0;
	int err = nl_open(&p->nl, NETLINK_NETFILTER);
	if (!err)
		err = timer_init(loop, &p->timer, on_timer, p);
	if (err)
		return err;
	look(p);
	timer_start(&p->timer, PATH_LOOK_MS, PATH_LOOK_MS);
	return 0;
}

void path_close(struct path *p)
{
	if (p->timer.on_fire)
		timer_close(&p->timer, NULL);
	nl_close(&p->nl);
}
