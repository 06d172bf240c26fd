/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "syncd/lists_impl.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void end_waits(struct list *waits, int err)
{
	list_foreach_safe (waits, it) {
		struct lists_wait *w = container_of(it, struct lists_wait, node);

		list_remove(&w->node);
		w->on_saved(w, err);
	}
}

void lists_await_saved(struct lists *l, struct lists_wait *w)
{
	list_add(&l->waiting, &w->node);
	l->save_due = true;
	lists_schedule(l, LISTS_GATHER_MS);
}

static struct list_compile *new_job(const struct lists *l)
{
	struct list_compile *job =
		list_compile_new(l->env.key, l->store.texts_dir, l->store.state_file);

	if (job)
		job->state = list_store_format(&l->store, encode_kept(l));
	if (job && l->store.key_unsaved)
		job->key_file = strdup(l->store.key_file);
	if (job &&
		(!job->state || (l->store.key_unsaved && !job->key_file) || add_digests(l, job))) {
		list_compile_free(job);
		job = NULL;
	}
	return job;
}

struct list_compile *lists_save_new(struct lists *l)
{
	struct list_compile *job = new_job(l);

	if (!job)
		end_waits(&l->waiting, -ENOMEM);
	return job;
}

/* The state as it was at the end. */
static void save_last(struct lists *l)
{
	int err = l->last ? list_compile_save(l->last) : -ECANCELED;

	if (l->last && err)
		log_error("state of lists cannot be written error=%s", strerror(-err));
	list_compile_free(l->last);
	l->last = NULL;
	end_waits(&l->waiting, err);
}

static void on_saved(struct list_compile *job)
{
	struct lists *l = job->arg;

	l->saving = false;
	if (!l->closing)
		note_saved(l, job->save_err);
	end_waits(&l->awaited, job->save_err);
	if (l->closing) {
		job->on_compiled = NULL;
		save_last(l);
		return;
	}
	if (job->save_err) {
		/* What needs it on the disk is not compiled. */
		if (job->on_compiled) {
			l->busy = false;
			l->compile_due = true;
		}
		l->ops->on_records(l->arg);
		lists_retry_later(l);
		return;
	}
	if (!job->on_compiled)
		l->ops->on_records(l->arg);
	lists_go_on(l);
}

void lists_save_start(struct lists *l, struct list_compile *job)
{
	list_foreach_safe (&l->waiting, it) {
		list_remove(it);
		list_add(&l->awaited, it);
	}
	l->save_due = false;
	l->saving = true;
	job->arg = l;
	list_compile_start(job, l->env.loop, on_saved);
}

void lists_save_end(struct lists *l)
{
	if (l->known && (l->save_due || l->saving))
		l->last = new_job(l);
	if (!l->saving)
		save_last(l);
}
