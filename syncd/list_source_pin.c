/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "syncd/list_source_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool list_source_is_pinned(const struct list_source *s)
{
	return *s->kept.pin;
}

const char *list_source_wanted(const struct list_source *s)
{
	if (list_source_is_pinned(s))
		return s->kept.pin;
	/* Directus gives a text once: the newest is what the list shall be. */
	if (list_source_is_directus(s) && s->kept.past.n)
		return s->kept.past.v[0].digest;
	return s->kept.digest;
}

bool list_source_is_astray(const struct list_source *s)
{
	const char *digest = list_source_wanted(s);

	if (s->content)
		return strcmp(digest, s->content->digest) != 0;
	/* Directus gives its text once: without it what is kept is waited for. */
	return *s->kept.pin || (list_source_is_directus(s) && *s->kept.digest);
}

void list_source_note_past(struct list_source *s)
{
	struct list_past_text *known = list_past_find(&s->kept.past, s->content->digest);
	struct list_past_text text = { .since = s->kept.changed_at,
		.count = (int64_t)s->content->report.names };

	memcpy(text.digest, s->content->digest, sizeof(text.digest));
	/* What it went back to keeps its place. */
	if (known && (list_source_is_pinned(s) || known == s->kept.past.v))
		known->count = text.count;
	else
		list_past_add(&s->kept.past, &text);
}

/* What is under way at the source is not waited for. */
static void leave_source(struct list_source *s)
{
	timer_stop(&s->timer);
	if (!s->url)
		return;
	list_url_cancel(s->url);
	s->url = NULL;
	s->env->fetching--;
	s->busy = false;
}

/* What is at the source is news then, even if nothing changed there. */
static void forget_validators(struct list_source *s)
{
	free(s->kept.etag);
	free(s->kept.last_modified);
	s->kept.etag = s->kept.last_modified = NULL;
	s->stamp = (struct list_file_stamp){ 0 };
}

int list_source_pin(struct list_source *s, const char *version)
{
	const struct list_past_text *to =
		version ? list_past_find(&s->kept.past, version)
			: list_past_find_before(&s->kept.past, s->kept.digest);

	if (!to)
		return -ENOENT;
	memcpy(s->kept.pin, to->digest, sizeof(s->kept.pin));
	s->kept.pinned_at = clock_wall_ms();
	s->again = s->accept_shrunk = false;
	leave_source(s);
	forget_validators(s);
	log_notice("list rolled back id=%s version=%.12s entries=%ld", s->rec.id, s->kept.pin,
		(long)to->count);
	list_source_fetch(s, false);
	s->env->on_change(s->env->arg, s, false);
	return 0;
}

int list_source_release(struct list_source *s)
{
	if (!list_source_is_pinned(s))
		return -ENOENT;
	s->kept.pin[0] = 0;
	log_notice("list released, it follows its source id=%s", s->rec.id);
	list_source_fetch(s, false);
	s->env->on_change(s->env->arg, s, false);
	return 0;
}

bool list_source_lose(struct list_source *s, const struct list_take *t)
{
	bool was_pinned = !strcmp(s->kept.pin, t->digest);

	if (!list_take_is_lost(t))
		return !was_pinned && !list_source_is_directus(s) && !s->content;
	list_past_remove(&s->kept.past, t->digest);
	if (was_pinned) {
		s->kept.pin[0] = 0;
		log_warning("list cannot be held at its version, it follows its source id=%s "
			    "version=%.12s",
			s->rec.id, t->digest);
	}
	return true;
}
