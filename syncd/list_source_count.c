/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "syncd/list_source_impl.h"
#include <stdlib.h>

void list_source_unref(struct list_source *s)
{
	if (--s->refs)
		return;
	rec_fini(REC_list_source, &s->rec);
	list_kept_fini(&s->kept);
	list_content_unref(s->content);
	free(s->error);
	free(s->given);
	free(s);
}

void list_source_log(const struct list_source *s)
{
	const struct list_report *r = &s->content->report;

	log_notice("list in use id=%s lines=%lu names=%lu exceptions=%lu urls=%lu skipped=%lu",
		s->rec.id, r->lines, r->names, r->exceptions, r->urls, r->skipped);
	for (unsigned i = 0; i < LIST_SKIPS; i++) {
		if (r->skipped_by[i])
			log_info("lines skipped id=%s reason=%s count=%lu first_line=%lu",
				s->rec.id, list_skip_text((enum list_skip)i), r->skipped_by[i],
				r->first_line[i]);
	}
}

/* Counts what is repeated: takes a while, and nothing waits for it. */
struct count {
	uv_work_t work;
	struct list_source *s;
	struct list_content *content;
	uint64_t repeated;
};

static void on_count_work(uv_work_t *work)
{
	struct count *c = work->data;

	c->repeated = c->content->report.names - domainset_builder_count(c->content->rules);
}

static void on_counted(uv_work_t *work, int status)
{
	struct count *c = work->data;
	struct list_source *s = c->s;

	if (!status && c->repeated) {
		c->content->repeated = c->repeated;
		if (!s->closing)
			s->env->on_change(s->env->arg, s, false);
	}
	list_content_unref(c->content);
	free(c);
	list_source_unref(s);
}

void list_source_count(struct list_source *s)
{
	struct count *c = calloc(1, sizeof(*c));

	if (!c)
		return;
	c->s = s;
	c->content = list_content_ref(s->content);
	c->work.data = c;
	s->refs++;
	uv_queue_work(s->env->loop, &c->work, on_count_work, on_counted);
}
