/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC F9: what is open is judged again, all of it, and never so many at once that others wait. */
#include <stdlib.h>
#include <string.h>

#include "proxyd/flow.h"
#include "tests/unit/tap.h"

#define COUNT 10000

struct item {
	struct flow flow;
	unsigned judged;
	bool is_forbidden, is_cut;
};

struct world {
	uv_loop_t loop;
	struct flows flows;
	struct item *items;
	uv_check_t turn; /* counts turns of the loop */
	unsigned turns;
	uint64_t judge_ns; /* that a verdict takes */
};

/* The callbacks have no other argument. */
static struct world w;

static bool is_allowed(struct flow *f)
{
	struct item *i = container_of(f, struct item, flow);
	uint64_t until = w.judge_ns ? uv_hrtime() + w.judge_ns : 0;

	while (until && uv_hrtime() < until)
		;
	i->judged++;
	return !i->is_forbidden;
}

static void cut(struct flow *f)
{
	container_of(f, struct item, flow)->is_cut = true;
	flow_remove(f);
}

static const struct flow_ops ops = { is_allowed, cut };

static void on_turn(uv_check_t *check)
{
	(void)check;
	w.turns++;
}

static void up(size_t count)
{
	memset(&w, 0, sizeof(w));
	uv_loop_init(&w.loop);
	flows_init(&w.flows, &w.loop);
	uv_check_init(&w.loop, &w.turn);
	uv_check_start(&w.turn, on_turn);
	uv_unref((uv_handle_t *)&w.turn);
	w.items = calloc(COUNT, sizeof(*w.items));
	for (size_t i = 0; i < count; i++)
		flow_add(&w.flows, &w.items[i].flow, &ops);
	/* Its second never comes here. */
	timer_stop(&w.flows.tick);
}

static void down(void)
{
	for (size_t i = 0; i < COUNT; i++)
		flow_remove(&w.items[i].flow);
	flows_close(&w.flows);
	uv_close((uv_handle_t *)&w.turn, NULL);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&w.loop), 0);
	free(w.items);
}

static void test_each_is_judged_once_a_change(void)
{
	bool once = true, twice = true;

	up(COUNT);
	flows_judge(&w.flows);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < COUNT; i++)
		once &= w.items[i].judged == 1;
	OK(once);
	flows_judge(&w.flows);
	flows_judge(&w.flows);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < COUNT; i++)
		twice &= w.items[i].judged == 2;
	OK(twice);
	down();
}

static void test_what_is_forbidden_is_cut_and_nothing_else(void)
{
	bool right = true;

	up(COUNT);
	for (size_t i = 0; i < COUNT; i += 3)
		w.items[i].is_forbidden = true;
	flows_judge(&w.flows);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < COUNT; i++)
		right &= w.items[i].is_cut == (i % 3 == 0);
	OK(right);
	INT_IS(w.flows.cut, (COUNT + 2) / 3);
	down();
}

static void test_many_take_several_turns(void)
{
	up(1000);
	w.judge_ns = 20000; /* 20 ms in all */
	flows_judge(&w.flows);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	OK(w.turns >= 4);
	INT_IS(w.items[999].judged, 1);
	down();
}

static void test_all_are_judged_when_the_last_one_is(void)
{
	up(1000);
	w.judge_ns = 20000;
	flows_judge(&w.flows);
	uint64_t epoch = w.flows.epoch;
	uv_run(&w.loop, UV_RUN_NOWAIT);
	OK(!flows_are_judged(&w.flows, epoch));
	flow_add(&w.flows, &w.items[1000].flow, &ops);
	timer_stop(&w.flows.tick);
	while (!w.items[999].judged) {
		OK(!flows_are_judged(&w.flows, epoch));
		uv_run(&w.loop, UV_RUN_NOWAIT);
	}
	OK(flows_are_judged(&w.flows, epoch));
	flows_judge(&w.flows); /* they still are */
	OK(flows_are_judged(&w.flows, epoch) && !flows_are_judged(&w.flows, w.flows.epoch));
	down();
}

static void test_one_that_came_since_is_not_judged_again(void)
{
	up(1000);
	w.judge_ns = 20000;
	flows_judge(&w.flows);
	uv_run(&w.loop, UV_RUN_NOWAIT);
	flow_add(&w.flows, &w.items[1000].flow, &ops);
	timer_stop(&w.flows.tick);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	INT_IS(w.items[1000].judged, 0);
	INT_IS(w.items[999].judged, 1);
	down();
}

static void test_time_alone_has_them_judged(void)
{
	up(0);
	flow_add(&w.flows, &w.items[0].flow, &ops);
	w.items[0].is_forbidden = true;
	uv_run(&w.loop, UV_RUN_DEFAULT); /* ends when nothing is left to be judged */
	OK(w.items[0].is_cut);
	down();
}

int main(void)
{
	TAP_RUN(test_each_is_judged_once_a_change);
	TAP_RUN(test_what_is_forbidden_is_cut_and_nothing_else);
	TAP_RUN(test_many_take_several_turns);
	TAP_RUN(test_all_are_judged_when_the_last_one_is);
	TAP_RUN(test_one_that_came_since_is_not_judged_again);
	TAP_RUN(test_time_alone_has_them_judged);
	return tap_done();
}
