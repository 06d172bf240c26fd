/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "syncd/list_compile.h"
#include "syncd/list_record.h"
#include "syncd/lists_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS     2000
#define RETRY_MAX_MS 30000
#define REFUSALS_MAX 6 /* doublings of the pause */

void lists_schedule(struct lists *l, uint64_t delay_ms)
{
	if (!l->closing && !timer_is_active(&l->soon))
		timer_start(&l->soon, delay_ms, 0);
}

static void on_change(void *arg, struct list_source *s, bool content)
{
	struct lists *l = arg;

	(void)s;
	l->save_due = true;
	l->compile_due |= content;
	lists_schedule(l, LISTS_GATHER_MS);
}

static void on_alarm(void *arg, struct list_source *s)
{
	struct lists *l = arg;

	char detail[LIST_ALARM_MAX];

	list_alarm_format(s, detail);
	l->ops->on_alarm(l->arg, s->rec.id, detail);
}

/* ---- the job ---- */

static bool is_settled(const struct lists *l)
{
	hmap_foreach (&l->sources, it) {
		const struct list_source *s = it.value;

		if (!s->tried)
			return false;
	}
	return true;
}

static void add_contents(const struct lists *l, struct list_compile *job)
{
	hmap_foreach (&l->sources, it) {
		const struct list_source *s = it.value;

		if (s->bit < 0 || !s->content)
			continue;
		job->contents[s->bit] = list_content_ref(s->content);
		memcpy(job->version.ids[s->bit], s->rec.id, strlen(s->rec.id) + 1);
	}
}

static bool is_published(const struct lists *l, const struct list_version *v)
{
	return !memcmp(l->published.ids, v->ids, sizeof(v->ids)) &&
	       !strcmp(l->published.digest, v->digest);
}

static void stage_texts(struct lists *l, const struct list_compile *job)
{
	for (int i = 0; i < LIST_BITS; i++) {
		l->staged[i][0] = 0;
		if (job->contents[i])
			memcpy(l->staged[i], job->contents[i]->digest, sizeof(l->staged[i]));
	}
}

static void give_image(struct lists *l, struct list_compile *job)
{
	const struct list_version *v = &job->version;

	if (timer_is_active(&l->again) && !strcmp(v->digest, l->refused)) {
		l->ops->on_records(l->arg);
		return;
	}
	stage_texts(l, job);
	if (is_published(l, v)) {
		l->ops->on_records(l->arg);
		l->ops->on_same(l->arg);
		return;
	}
	l->published = *v;
	buf_fini(&l->image);
	l->image = job->image;
	buf_init(&job->image, 0);
	l->publishing = true;
	log_notice("domain set compiled names=%lu bytes=%zu ms=%lu", v->count, l->image.len,
		(unsigned long)job->ms);
	l->ops->on_image(l->arg, &l->image, v);
}

void lists_retry_later(struct lists *l)
{
	lists_schedule(l, l->retry_ms);
	l->retry_ms = l->retry_ms * 2 < RETRY_MAX_MS ? l->retry_ms * 2 : RETRY_MAX_MS;
}

void lists_go_on(struct lists *l)
{
	if (!l->publishing)
		l->retry_ms = RETRY_MS;
	if (l->save_due || l->compile_due)
		lists_schedule(l, LISTS_GATHER_MS);
}

static void on_compiled(struct list_compile *job)
{
	struct lists *l = job->arg;

	l->busy = false;
	if (l->closing)
		return;
	if (job->err) {
		log_error("lists cannot be compiled error=%s", strerror(-job->err));
		l->compile_due = true;
		lists_retry_later(l);
	} else {
		give_image(l, job);
		lists_go_on(l);
	}
}

/* Since the start not one list could be had, and nothing was published: a set without them would
 * open what the last good one blocks. Where there is no last good one, clients stay without an
 * answer: no policy at all means closed. */
static bool is_held(struct lists *l)
{
	if (*l->published.digest || !l->sources.count)
		return false;
	hmap_foreach (&l->sources, it) {
		if (((const struct list_source *)it.value)->content)
			return false;
	}
	if (!l->told_empty) {
		l->told_empty = true;
		log_error("no list could be loaded, no domain set is published");
		l->ops->on_alarm(l->arg, "all",
			"no list could be loaded; what is published stays, and where there is "
			"nothing names are not answered");
	}
	return true;
}

static void run(struct lists *l)
{
	bool compile = l->compile_due && !l->busy && !l->publishing &&
		       (!l->patient || is_settled(l)) && !is_held(l);
	struct list_compile *job;

	if (l->saving || !l->known || (!compile && !l->save_due))
		return;
	job = lists_save_new(l);
	if (!job) {
		lists_schedule(l, RETRY_MS);
		return;
	}
	if (compile) {
		add_contents(l, job);
		job->on_compiled = on_compiled;
		l->compile_due = false;
		l->patient = false;
		l->busy = true;
		timer_stop(&l->patience);
	}
	lists_save_start(l, job);
}

static void on_soon(struct timer *t)
{
	run(t->data);
}

static void on_patience(struct timer *t)
{
	struct lists *l = t->data;

	log_warning("some lists are slow; the others are published without them");
	l->patient = false;
	run(l);
}

void lists_published(struct lists *l, int status)
{
	l->publishing = false;
	buf_fini(&l->image);
	if (status) {
		l->published.digest[0] = 0;
		l->compile_due = true;
	}
	l->ops->on_records(l->arg);
	if (status)
		lists_retry_later(l);
	else if (l->compile_due || l->save_due)
		lists_schedule(l, LISTS_GATHER_MS);
}

void lists_in_force(struct lists *l, const struct list_version *v)
{
	int64_t now = clock_wall_ms();

	if (!strcmp(v->digest, l->refused)) {
		l->refused[0] = 0;
		l->refusals = 0;
	}
	list_bits_clear(&l->store.bits, v);
	hmap_foreach (&l->sources, it) {
		struct list_source *s = it.value;

		if (s->bit < 0 || !s->content || strcmp(l->staged[s->bit], s->content->digest) ||
			!strcmp(s->kept.in_force, s->content->digest))
			continue;
		memcpy(s->kept.in_force, s->content->digest, sizeof(s->kept.in_force));
		s->kept.in_force_at = now;
	}
	l->store.good = *v;
	l->save_due = true;
	lists_schedule(l, LISTS_GATHER_MS);
}

static void on_again(struct timer *t)
{
	struct lists *l = t->data;

	log_notice("refused domain set is tried again blob=%.12s", l->refused);
	l->compile_due = true;
	run(l);
}

void lists_refused(struct lists *l, const struct list_version *good)
{
	unsigned doublings = l->refusals < REFUSALS_MAX ? l->refusals : REFUSALS_MAX;

	if (strcmp(l->refused, l->published.digest) != 0)
		doublings = l->refusals = 0;
	memcpy(l->refused, l->published.digest, sizeof(l->refused));
	l->refusals++;
	l->published = *good;
	/* What is in force now is not what the sources hold. */
	memset(l->staged, 0, sizeof(l->staged));
	timer_start(&l->again, l->again_ms << doublings, 0);
	l->ops->on_records(l->arg);
}

/* ---- life ---- */

int lists_open(struct lists *l, const struct list_env *env, const char *state_dir,
	const char *cache_dir, uint64_t again_ms, const struct lists_ops *ops, void *arg)
{
	int err = list_store_open(&l->store, state_dir, cache_dir);

	if (err) {
		list_store_close(&l->store);
		return err;
	}
	l->env = *env;
	l->env.texts_dir = l->store.texts_dir;
	memcpy(l->env.key, l->store.key, sizeof(l->env.key));
	l->env.on_change = on_change;
	l->env.on_alarm = on_alarm;
	l->env.arg = l;
	l->ops = ops;
	l->arg = arg;
	l->again_ms = again_ms;
	l->retry_ms = RETRY_MS;
	l->patient = true;
	hmap_init(&l->sources, NULL);
	list_init(&l->waiting);
	list_init(&l->awaited);
	timer_init(env->loop, &l->soon, on_soon, l);
	timer_init(env->loop, &l->patience, on_patience, l);
	timer_init(env->loop, &l->again, on_again, l);
	return 0;
}

void lists_close(struct lists *l)
{
	l->closing = true;
	lists_save_end(l);
	hmap_foreach (&l->sources, it)
		list_source_close(it.value);
	hmap_clear(&l->sources);
	timer_close(&l->soon, NULL);
	timer_close(&l->patience, NULL);
	timer_close(&l->again, NULL);
}

void lists_fini(struct lists *l)
{
	hmap_fini(&l->sources);
	list_compile_free(l->last);
	list_store_close(&l->store);
	buf_fini(&l->image);
}
