/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/timer.h"
#include <time.h>

#define WALL_CHECK_MS 10000

int64_t clock_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t clock_mono_ms(void)
{
	return uv_hrtime() / 1000000;
}

static void on_uv_fire(uv_timer_t *handle)
{
	struct timer *t = handle->data;

	t->on_fire(t);
}

static void on_uv_close(uv_handle_t *handle)
{
	struct timer *t = handle->data;

	if (t->on_closed)
		t->on_closed(t);
}

int timer_init(uv_loop_t *loop, struct timer *t, void (*on_fire)(struct timer *t), void *data)
{
	*t = (struct timer){ .on_fire = on_fire, .data = data };
	t->handle.data = t;
	return uv_timer_init(loop, &t->handle);
}

void timer_start(struct timer *t, uint64_t delay_ms, uint64_t repeat_ms)
{
	/* libuv counts from the loop's cached time, which may be old after long work. */
	uv_update_time(t->handle.loop);
	uv_timer_start(&t->handle, on_uv_fire, delay_ms, repeat_ms);
}

void timer_start_at(struct timer *t, int64_t wall_ms)
{
	int64_t left = wall_ms - clock_wall_ms();

	if (left < 0)
		left = 0;
	timer_start(t, left > WALL_CHECK_MS ? WALL_CHECK_MS : (uint64_t)left, 0);
}

void timer_stop(struct timer *t)
{
	uv_timer_stop(&t->handle);
}

bool timer_is_active(const struct timer *t)
{
	return uv_is_active((const uv_handle_t *)&t->handle);
}

void timer_close(struct timer *t, void (*on_closed)(struct timer *t))
{
	if (uv_is_closing((uv_handle_t *)&t->handle))
		return;
	t->on_closed = on_closed;
	uv_close((uv_handle_t *)&t->handle, on_uv_close);
}
