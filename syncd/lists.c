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

/* What the state file says of the lists; those that are not known now keep what it said. */
static cJSON *encode_kept(const struct lists *l)
{
	cJSON *json = cJSON_CreateObject();
	bool ok = true;

	hmap_foreach (&l->sources, it) {
		const struct list_source *s = it.value;

		ok = ok && json_add(json, it.key, list_kept_encode(&s->kept));
	}
	return json_whole(json, ok);
}

static int add_digests(const struct lists *l, struct list_compile *job)
{
	size_t n = 0;

	job->keep = calloc(l->sources.count * (LIST_PAST_MAX + 1) + 1, sizeof(*job->keep));
	if (!job->keep)
		return -ENOMEM;
	hmap_foreach (&l->sources, it) {
		const struct list_source *s = it.value;

		if (*s->kept.digest)
			memcpy(job->keep[n++], s->kept.digest, 65);
		for (size_t i = 0; i < s->kept.past.n; i++)
			memcpy(job->keep[n++], s->kept.past.v[i].digest, 65);
	}
	job->keep_count = n;
	return 0;
}

static void add_contents(const struct lists *l, struct list_compile *job)
{
	job->wanted = true;
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

static void retry_later(struct lists *l)
{
	lists_schedule(l, l->retry_ms);
	l->retry_ms = l->retry_ms * 2 < RETRY_MAX_MS ? l->retry_ms * 2 : RETRY_MAX_MS;
}

static void note_saved(struct lists *l, int err)
{
	char detail[128];

	if (err)
		l->save_due = true;
	else
		l->store.key_unsaved = false;
	if (err == l->save_err)
		return;
	l->save_err = err;
	if (!err) {
		log_notice("state of lists can be written again");
		return;
	}
	log_error("state of lists cannot be written error=%s", strerror(-err));
	snprintf(detail, sizeof(detail), "cannot be written: %s; what is published stays",
		strerror(-err));
	l->ops->on_alarm(l->arg, "state", detail);
}

/* The state as it was at the end. */
static void save_last(struct lists *l)
{
	int err = l->last ? list_compile_save(l->last) : 0;

	if (err)
		log_error("state of lists cannot be written error=%s", strerror(-err));
	list_compile_free(l->last);
	l->last = NULL;
}

static void on_compiled(struct list_compile *job)
{
	struct lists *l = job->arg;

	l->busy = false;
	if (l->closing) {
		save_last(l);
		return;
	}
	note_saved(l, job->save_err);
	if (job->err) {
		if (!job->save_err)
			log_error("lists cannot be compiled error=%s", strerror(-job->err));
		l->compile_due = true;
	}
	if (job->wanted && !job->err)
		give_image(l, job);
	else
		l->ops->on_records(l->arg);
	if (job->save_err || job->err) {
		retry_later(l);
		return;
	}
	if (!l->publishing)
		l->retry_ms = RETRY_MS;
	if (l->save_due || l->compile_due)
		lists_schedule(l, LISTS_GATHER_MS);
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

/* One that writes the state as it is now; NULL without memory. */
static struct list_compile *new_job(const struct lists *l)
{
	struct list_compile *job =
		list_compile_new(l->env.key, l->store.texts_dir, l->store.state_file);

	if (job)
		job->state = list_store_format(&l->store, encode_kept(l));
	if (job && l->store.key_unsaved)
		job->key_file = strdup(l->store.key_file);
	if (job && (!job->state || (l->store.key_unsaved && !job->key_file))) {
		list_compile_free(job);
		job = NULL;
	}
	return job;
}

static void run(struct lists *l)
{
	bool compile =
		l->compile_due && !l->publishing && (!l->patient || is_settled(l)) && !is_held(l);
	struct list_compile *job;

	if (l->busy || !l->known || (!compile && !l->save_due))
		return;
	job = new_job(l);
	if (!job || add_digests(l, job)) {
		list_compile_free(job);
		lists_schedule(l, RETRY_MS);
		return;
	}
	if (compile) {
		add_contents(l, job);
		l->compile_due = false;
		l->patient = false;
		timer_stop(&l->patience);
	}
	l->save_due = false;
	l->busy = true;
	job->arg = l;
	list_compile_start(job, l->env.loop, on_compiled);
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
		retry_later(l);
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
	timer_init(env->loop, &l->soon, on_soon, l);
	timer_init(env->loop, &l->patience, on_patience, l);
	timer_init(env->loop, &l->again, on_again, l);
	return 0;
}

void lists_close(struct lists *l)
{
	l->closing = true;
	if (l->known && (l->save_due || l->busy))
		l->last = new_job(l);
	if (!l->busy)
		save_last(l);
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
