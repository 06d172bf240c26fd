/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* Wall clock, epoch milliseconds. */
int64_t clock_wall_ms(void);
/* Monotonic clock, milliseconds; never jumps. */
uint64_t clock_mono_ms(void);

/*
 * One timer embedded in its object. timer_init before anything else; timer_close ends it for good:
 * the memory may be freed only after on_closed (NULL when the loop's end is the owner's end).
 */
struct timer {
	uv_timer_t handle;
	void (*on_fire)(struct timer *t);
	void (*on_closed)(struct timer *t);
	void *data;
};

int timer_init(uv_loop_t *loop, struct timer *t, void (*on_fire)(struct timer *t), void *data);
/* Fires once after delay_ms, then every repeat_ms when that is not 0. Starting again restarts. */
void timer_start(struct timer *t, uint64_t delay_ms, uint64_t repeat_ms);
/* Fires once at the wall time (epoch ms), at once when past; looks at the clock at least every
 * 10 s, so that a jump of the wall clock is noticed. The caller compares the clock itself. */
void timer_start_at(struct timer *t, int64_t wall_ms);
void timer_stop(struct timer *t);
bool timer_is_active(const struct timer *t);
/* Idempotent. */
void timer_close(struct timer *t, void (*on_closed)(struct timer *t));
