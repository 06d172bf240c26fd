/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a reader that comes back cuts what passed before it (SPEC F9). Its parts are stand-ins. */
#include "proxyd/path_reader.h"
#include "tests/unit/tap.h"

static struct {
	uint64_t gen, applied;
	bool is_answered;
} topics[BUS_TOPICS][BUS_DAEMONS];
static unsigned sweeps;
static uint64_t judged;
static bool is_judging, is_killing;

uint64_t bus_topic_gen(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	(void)b;
	return topics[topic][owner].gen;
}

bool bus_topic_is_answered(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	(void)b;
	return topics[topic][owner].is_answered;
}

bool bus_topic_is_applied(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	(void)b;
	return topics[topic][owner].applied == topics[topic][owner].gen;
}

bool bus_topic_is_current(const struct bus *b, enum bus_topic topic, enum bus_daemon owner)
{
	return bus_topic_is_answered(b, topic, owner);
}

int path_sweep_start(struct path_sweep *s, uv_loop_t *loop)
{
	(void)s, (void)loop;
	sweeps++;
	return 0;
}

void path_sweep_init(
	struct path_sweep *s, void (*on_done)(void *arg, struct path_sweep *s), void *arg)
{
	hmap_init(&s->found, NULL);
	s->on_done = on_done;
	s->arg = arg;
}

void path_judged_set(struct path_judged *j, uint64_t stamp)
{
	j->stamp = judged = stamp;
}

void path_live_kill(struct path_live *l, const struct path_key *key)
{
	(void)l, (void)key;
}

bool path_live_is_sent(const struct path_live *l)
{
	(void)l;
	return !is_killing;
}

void path_flows_each(
	struct path_flows *fs, void (*on_each)(void *arg, struct path_flow *f), void *arg)
{
	(void)fs, (void)on_each, (void)arg;
}

void path_forget(struct path_reader *r, struct path_flow *f)
{
	(void)r, (void)f;
}

void path_end_reading(struct path_reader *r, struct path_flow *f)
{
	(void)r, (void)f;
}

void flows_judge(struct flows *fs)
{
	fs->epoch++;
}

bool flows_are_judged(const struct flows *fs, uint64_t epoch)
{
	return epoch == fs->epoch && !is_judging;
}

/* ---- a reader that has begun to read ---- */

static struct daemon daemon_of_all;
static struct path_reader r;

/* Whatever a former one judged; all topics were answered but websites'. */
static void begin(uint64_t ms_ago)
{
	for (int t = 0; t < BUS_TOPICS; t++) {
		for (int d = 0; d < BUS_DAEMONS; d++) {
			topics[t][d].gen = topics[t][d].applied = 7;
			topics[t][d].is_answered = true;
		}
	}
	uv_loop_init(&daemon_of_all.loop);
	r = (struct path_reader){ .p.d = &daemon_of_all, .flows.max = 100 };
	list_init(&r.flows.readings);
	path_tidy_init(&r);
	r.swept_ms = uv_now(&daemon_of_all.loop);
	r.reading_since_ms = uv_now(&daemon_of_all.loop) - ms_ago;
	sweeps = 0;
	judged = 0;
	is_judging = is_killing = false;
}

/* Under all that is known now. */
static void was_judged_now(void)
{
	struct path_reader former = r;

	list_init(&former.flows.readings);
	former.is_settled = true;
	path_tidy(&former);
	r.judged.found = r.judged.on_disk = r.judged.stamp = judged;
	sweeps = 0;
	judged = 0;
}

/* A reader that has settled, with connections of before. */
static void begin_settled(void)
{
	begin(1000);
	was_judged_now();
	path_tidy(&r);
	OK(r.is_settled && r.has_strangers && !sweeps);
}

/* Another generation is here; in force it is with apply(). */
static void come(enum bus_topic topic, enum bus_daemon owner)
{
	topics[topic][owner].gen++;
}

static void apply(enum bus_topic topic, enum bus_daemon owner)
{
	path_policy_changed(&r);
	topics[topic][owner].applied = topics[topic][owner].gen;
}

/* The strangers are cut. */
static void be_swept(void)
{
	OK(r.strangers_due && sweeps);
	r.sweep.on_done(&r, &r.sweep);
	OK(!r.strangers_due && !r.has_strangers);
	sweeps = 0;
}

static void end(void)
{
	hmap_fini(&r.sweep.found);
	INT_IS(uv_loop_close(&daemon_of_all.loop), 0);
}

static void test_nothing_is_cut_under_the_policy_of_before(void)
{
	begin(1000);
	was_judged_now();
	path_tidy(&r);
	OK(r.is_settled && !r.strangers_due && !sweeps);
	end();
}

static void test_counts_of_a_list_are_no_other_policy_for_the_next_reader(void)
{
	begin_settled();
	topics[TOPIC_lists][BUS_SYNCD].gen = topics[TOPIC_lists][BUS_SYNCD].applied = 8;
	path_policy_changed(&r); /* that all is still so */
	path_tidy(&r);
	OK(judged && !r.strangers_due && !sweeps);
	end();
}

static void test_nothing_is_noted_twice(void)
{
	begin_settled();
	come(TOPIC_sni_block, BUS_APID);
	apply(TOPIC_sni_block, BUS_APID);
	be_swept();
	path_tidy(&r);
	OK(judged);
	judged = 0;
	path_policy_changed(&r);
	path_tidy(&r);
	OK(!judged && !sweeps);
	end();
}

static void test_a_reader_that_begins_with_the_policy_of_before_leaves_it_noted(void)
{
	begin(0);
	was_judged_now();
	uint64_t before = r.judged.stamp;
	path_tidy_begin(&r);
	OK(before && r.judged.stamp == before);
	end();
}

static void test_what_was_noted_does_not_hold_while_an_older_policy_is_in_force(void)
{
	begin(0);
	topics[TOPIC_sni_block][BUS_APID].gen = topics[TOPIC_sni_block][BUS_APID].applied = 8;
	was_judged_now();
	uint64_t before = r.judged.stamp;
	topics[TOPIC_sni_block][BUS_APID].gen = topics[TOPIC_sni_block][BUS_APID].applied = 7;
	path_tidy_begin(&r);
	OK(!r.judged.stamp);
	come(TOPIC_sni_block, BUS_APID);
	apply(TOPIC_sni_block, BUS_APID);
	path_tidy(&r);
	OK(!r.is_settled && !r.judged.stamp);
	r.reading_since_ms -= 1000;
	path_tidy(&r);
	OK(r.is_settled && !r.strangers_due && !sweeps);
	OK(r.judged.stamp == before);
	end();
}

static void test_what_was_noted_does_not_hold_while_its_set_is_on_its_way(void)
{
	begin(0);
	was_judged_now();
	topics[TOPIC_domainset][BUS_SYNCD].applied = 6;
	path_tidy_begin(&r);
	OK(!r.judged.stamp);
	end();
}

static void test_what_is_not_in_force_yet_is_not_noted(void)
{
	begin_settled();
	come(TOPIC_domainset, BUS_SYNCD);
	path_tidy(&r);
	OK(!judged);
	apply(TOPIC_domainset, BUS_SYNCD);
	be_swept();
	path_tidy(&r);
	OK(judged);
	end();
}

static void test_what_is_not_in_force_yet_is_not_noted_with_another_topic(void)
{
	begin_settled();
	come(TOPIC_domainset, BUS_SYNCD);
	come(TOPIC_sni_block, BUS_APID);
	apply(TOPIC_sni_block, BUS_APID);
	be_swept();
	path_tidy(&r);
	OK(!judged);
	apply(TOPIC_domainset, BUS_SYNCD);
	path_tidy(&r);
	OK(judged);
	end();
}

static void test_what_was_forgotten_while_a_set_came_is_cut_by_it(void)
{
	begin_settled();
	come(TOPIC_domainset, BUS_SYNCD);
	come(TOPIC_sni_block, BUS_APID);
	apply(TOPIC_sni_block, BUS_APID);
	be_swept();
	r.has_strangers = true;
	apply(TOPIC_domainset, BUS_SYNCD);
	be_swept();
	end();
}

static void test_policy_is_noted_when_what_is_open_was_judged_and_cut(void)
{
	begin_settled();
	r.has_strangers = false;
	come(TOPIC_sni_block, BUS_APID);
	apply(TOPIC_sni_block, BUS_APID);
	is_judging = is_killing = true;
	path_tidy(&r);
	OK(!judged);
	is_judging = false;
	path_tidy(&r);
	OK(!judged);
	is_killing = false;
	path_tidy(&r);
	OK(judged);
	end();
}

static void test_policy_is_noted_when_strangers_are_cut(void)
{
	begin_settled();
	come(TOPIC_sni_block, BUS_APID);
	apply(TOPIC_sni_block, BUS_APID);
	path_tidy(&r);
	OK(!judged);
	be_swept();
	path_tidy(&r);
	OK(judged);
	end();
}

static void test_what_passed_is_cut_when_policy_is_another_one(void)
{
	begin(1000);
	was_judged_now();
	topics[TOPIC_sni_block][BUS_APID].gen++;
	path_tidy(&r);
	OK(r.is_settled && r.strangers_due && sweeps);
	end();
}

static void test_answers_to_a_reader_that_begins_are_no_change(void)
{
	begin(500);
	topics[TOPIC_lists][BUS_SYNCD].gen = topics[TOPIC_lists][BUS_SYNCD].applied = 8;
	was_judged_now();
	topics[TOPIC_lists][BUS_SYNCD].gen--;
	path_tidy(&r);
	OK(!r.is_settled);
	topics[TOPIC_lists][BUS_SYNCD].gen++;
	r.reading_since_ms -= 500;
	path_tidy(&r);
	OK(r.is_settled && !r.strangers_due && !sweeps);
	end();
}

static void test_topic_that_is_late_is_no_change(void)
{
	begin(9000);
	was_judged_now();
	topics[TOPIC_dns_records][BUS_APID].gen = 0;
	topics[TOPIC_dns_records][BUS_APID].is_answered = false;
	path_policy_changed(&r);
	path_tidy(&r);
	OK(!r.is_settled && !r.strangers_due && !sweeps && !judged);
	topics[TOPIC_dns_records][BUS_APID].gen = 7;
	topics[TOPIC_dns_records][BUS_APID].is_answered = true;
	path_policy_changed(&r);
	path_tidy(&r);
	OK(r.is_settled && !r.strangers_due && !sweeps);
	end();
}

static void test_topic_that_is_late_and_another_one_is_a_change(void)
{
	begin(9000);
	was_judged_now();
	topics[TOPIC_sni_block][BUS_SYNCD].is_answered = false;
	path_tidy(&r);
	OK(!r.strangers_due);
	topics[TOPIC_sni_block][BUS_SYNCD].gen = 8;
	topics[TOPIC_sni_block][BUS_SYNCD].is_answered = true;
	path_tidy(&r);
	OK(r.strangers_due && sweeps);
	end();
}

static void test_topic_that_does_not_come_closes(void)
{
	begin(10000);
	was_judged_now();
	topics[TOPIC_sni_block][BUS_APID].gen = 0;
	topics[TOPIC_sni_block][BUS_APID].is_answered = false;
	path_tidy(&r);
	OK(r.is_settled && r.strangers_due && sweeps);
	end();
}

static void test_without_redis_the_policy_on_disk_is_as_good(void)
{
	begin(10000);
	was_judged_now();
	for (int t = 0; t < BUS_TOPICS; t++)
		topics[t][BUS_APID].is_answered = topics[t][BUS_SYNCD].is_answered = false;
	path_tidy(&r);
	OK(r.is_settled && !r.strangers_due && !sweeps);
	end();
}

int main(void)
{
	TAP_RUN(test_nothing_is_cut_under_the_policy_of_before);
	TAP_RUN(test_counts_of_a_list_are_no_other_policy_for_the_next_reader);
	TAP_RUN(test_nothing_is_noted_twice);
	TAP_RUN(test_a_reader_that_begins_with_the_policy_of_before_leaves_it_noted);
	TAP_RUN(test_what_was_noted_does_not_hold_while_an_older_policy_is_in_force);
	TAP_RUN(test_what_was_noted_does_not_hold_while_its_set_is_on_its_way);
	TAP_RUN(test_what_is_not_in_force_yet_is_not_noted);
	TAP_RUN(test_what_is_not_in_force_yet_is_not_noted_with_another_topic);
	TAP_RUN(test_what_was_forgotten_while_a_set_came_is_cut_by_it);
	TAP_RUN(test_policy_is_noted_when_what_is_open_was_judged_and_cut);
	TAP_RUN(test_policy_is_noted_when_strangers_are_cut);
	TAP_RUN(test_what_passed_is_cut_when_policy_is_another_one);
	TAP_RUN(test_answers_to_a_reader_that_begins_are_no_change);
	TAP_RUN(test_topic_that_is_late_is_no_change);
	TAP_RUN(test_topic_that_is_late_and_another_one_is_a_change);
	TAP_RUN(test_topic_that_does_not_come_closes);
	TAP_RUN(test_without_redis_the_policy_on_disk_is_as_good);
	return tap_done();
}
