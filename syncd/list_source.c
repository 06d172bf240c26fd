/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "common/random.h"
#include "syncd/list_source_impl.h"
#include "syncd/list_timing.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_REFRESH_S	 30
#define URL_REFRESH_S	 86400
#define REFRESH_MIN_S	 5
#define ALARM_AGAIN_MS	 86400000
#define DOWNLOADS_MAX	 2
#define DOWNLOAD_WAIT_MS 250
#define KEPT_AGAIN_MS	 2000
#define GIVEN_AGAIN_MS	 5000
#define DOUBLINGS_MAX	 5

bool list_source_is_directus(const struct list_source *s)
{
	return !strncmp(s->rec.source, LIST_SOURCE_DIRECTUS, strlen(LIST_SOURCE_DIRECTUS));
}

static int64_t refresh_ms(const struct list_source *s)
{
	int64_t refresh_s = list_source_file(s) ? FILE_REFRESH_S : URL_REFRESH_S;

	if (rec_has(&s->rec, list_source, refresh_s) && s->rec.refresh_s > 0)
		refresh_s = s->rec.refresh_s;
	if (refresh_s < REFRESH_MIN_S)
		refresh_s = REFRESH_MIN_S;
	return refresh_s * 1000;
}

static uint32_t pick(void)
{
	uint32_t random = 0;

	random_bytes(NULL, (unsigned char *)&random, sizeof(random));
	return random;
}

/* Files are near: they need no jitter. */
static int64_t next_ms(const struct list_source *s)
{
	return list_source_file(s) ? refresh_ms(s) : list_refresh_delay(refresh_ms(s), pick());
}

/* For what nobody gives once more. */
static int64_t doubled_ms(int64_t first_ms, unsigned failures)
{
	unsigned doublings = failures ? failures - 1 : 0;

	return first_ms << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
}

static void note_failure(struct list_source *s, const char *why)
{
	uint64_t now = clock_mono_ms();
	bool news = !s->error || strcmp(s->error, why);

	s->failures++;
	s->tried = true;
	s->tried_at = clock_wall_ms();
	/* What stays broken is told again. */
	if (news || now - s->alarmed_at >= ALARM_AGAIN_MS) {
		s->alarmed_at = now;
		free(s->error);
		s->error = strdup(why);
		log_warning("list not renewed id=%s reason=\"%s\" entries_kept=%lu", s->rec.id, why,
			s->content ? list_content_size(s->content) : 0);
		s->env->on_alarm(s->env->arg, s);
	}
	s->env->on_change(s->env->arg, s, false);
	list_source_schedule(s, list_retry_delay(s->failures, refresh_ms(s), pick()));
}

static void note_success(struct list_source *s, bool content)
{
	if (s->error)
		log_notice("list is good again id=%s", s->rec.id);
	free(s->error);
	s->error = NULL;
	s->failures = 0;
	s->tried = true;
	s->accept_shrunk = false;
	s->env->on_change(s->env->arg, s, content);
	list_source_schedule(s, next_ms(s));
}

/* ---- content ---- */

static void set_string(char **to, const char *value)
{
	free(*to);
	*to = value ? strdup(value) : NULL;
}

static void set_content(struct list_source *s, struct list_take *t)
{
	int64_t now = clock_wall_ms();

	s->kept_failures = 0;
	list_content_unref(s->content);
	s->content = t->content;
	t->content = NULL;
	memcpy(s->kept.digest, s->content->digest, sizeof(s->kept.digest));
	if (t->from != LIST_TAKE_CACHE)
		s->kept.changed_at = now;
	list_source_note_past(s);
	list_source_log(s);
	list_source_count(s);
}

static struct list_options options_of(const struct list_source *s)
{
	return (struct list_options){ .subtree = s->rec.subtree || s->rec.head.closed,
		.https_paths_skip = s->rec.https_paths_skip };
}

/* The options were changed while the list was parsed, or the cache was read: look again. */
static bool has_other_options(const struct list_source *s)
{
	struct list_options want = options_of(s);

	return s->content && (s->content->options.subtree != want.subtree ||
				     s->content->options.https_paths_skip != want.https_paths_skip);
}

/* True: it is tried again, later. */
static bool keep_trying(struct list_source *s, const struct list_take *t)
{
	bool is_lost = list_take_is_lost(t);

	/* The same is told once. */
	if (is_lost || !s->kept_failures++)
		log_warning("last good list cannot be used id=%s error=%s", s->rec.id, t->why);
	/* Without it the validators would keep the server silent. */
	if (!s->content && (is_lost || !list_source_is_directus(s)))
		s->kept.digest[0] = 0;
	return !list_source_lose(s, t);
}

static void on_cache_taken(struct list_source *s, struct list_take *t)
{
	if (!t->err) {
		set_content(s, t);
		s->tried = true;
		s->env->on_change(s->env->arg, s, true);
	}
	s->again = false;
	if (t->err && keep_trying(s, t))
		list_source_schedule(s, doubled_ms(KEPT_AGAIN_MS, s->kept_failures));
	else if (list_source_file(s) || t->err)
		list_source_schedule(s, 0);
	else
		list_source_schedule(s, list_start_delay(s->kept.fetched_at, clock_wall_ms(),
						refresh_ms(s), pick()));
}

static void on_source_taken(struct list_source *s, struct list_take *t)
{
	bool is_url = t->from == LIST_TAKE_BODY;

	if (list_source_is_pinned(s)) /* since it was begun */
		return;
	if (t->err == -EAGAIN) { /* the file is being written */
		list_source_schedule(s, LIST_TOUCH_QUIET_MS);
		return;
	}
	if (t->err) {
		note_failure(s, t->why);
		/* Directus does not give it once more. */
		if (t->is_passing && list_source_is_directus(s)) {
			if (!s->given)
				s->given = buf_release(&t->text, &s->given_len);
			list_source_schedule(s, doubled_ms(GIVEN_AGAIN_MS, s->failures));
		}
		return;
	}
	s->stamp = t->stamp;
	if (is_url || t->content || s->error || !s->kept.fetched_at)
		s->kept.fetched_at = s->tried_at = clock_wall_ms();
	if (is_url) {
		set_string(&s->kept.etag, t->etag);
		set_string(&s->kept.last_modified, t->last_modified);
	}
	if (!s->kept.source || strcmp(s->kept.source, t->source))
		set_string(&s->kept.source, t->source);
	if (t->content) {
		set_content(s, t);
		note_success(s, true);
	} else {
		note_success(s, false);
	}
}

static void take_given(struct list_source *s)
{
	struct list_url_result res = { .body = s->given, .len = s->given_len };

	s->given = NULL;
	s->accept_shrunk = true;
	list_source_take(s, LIST_TAKE_BODY, &res);
	if (!res.body)
		return;
	/* No memory even to begin. */
	s->given = res.body;
	list_source_schedule(s, doubled_ms(GIVEN_AGAIN_MS, s->failures));
}

static void on_taken(struct list_take *t)
{
	struct list_source *s = t->arg;

	s->busy = false;
	if (!s->closing) {
		bool again = s->again;

		s->again = false;
		if (t->from == LIST_TAKE_CACHE)
			on_cache_taken(s, t);
		else
			on_source_taken(s, t);
		if (!s->busy && !t->err && (has_other_options(s) || list_source_is_astray(s)))
			list_source_take(s, LIST_TAKE_CACHE, NULL);
		else if (s->given && !s->busy && !t->is_passing && !list_source_is_pinned(s))
			take_given(s);
		else if (again)
			list_source_schedule(s, 0);
		else if (s->touched_at) /* since it was begun */
			list_source_schedule(s, LIST_TOUCH_QUIET_MS);
	}
	list_source_unref(s);
}

void list_source_take(struct list_source *s, enum list_take_from from, struct list_url_result *res)
{
	struct list_take *t = list_take_new(
		from, s->rec.source, s->env->lists_dir, s->env->texts_dir, s->env->key);

	if (!t) {
		note_failure(s, "out of memory");
		if (from == LIST_TAKE_CACHE)
			list_source_schedule(s, doubled_ms(KEPT_AGAIN_MS, s->failures));
		return;
	}
	t->options = options_of(s);
	t->stamp = s->stamp;
	t->bytes_max = s->env->url.bytes_max;
	snprintf(t->digest, sizeof(t->digest), "%s",
		from == LIST_TAKE_CACHE ? list_source_wanted(s) : s->kept.digest);
	t->has_content = s->content != NULL;
	if (s->content && !s->accept_shrunk && s->kept.source &&
		!strcmp(s->kept.source, s->rec.source))
		t->size_before = list_content_size(s->content);
	if (res) {
		list_take_body(t, res->body, res->len);
		res->body = NULL;
		set_string(&t->etag, res->etag);
		set_string(&t->last_modified, res->last_modified);
		set_string(&t->coding, res->coding);
	}
	t->arg = s;
	s->busy = true;
	s->refs++;
	list_take_start(t, s->env->loop, on_taken);
}

/* ---- download ---- */

static void on_downloaded(void *arg, struct list_url_result *res)
{
	struct list_source *s = arg;

	s->url = NULL;
	s->busy = false;
	s->env->fetching--;
	if (res->err) {
		note_failure(s, res->error);
	} else if (res->not_modified) {
		s->kept.fetched_at = s->tried_at = clock_wall_ms();
		note_success(s, false);
		if (has_other_options(s))
			list_source_take(s, LIST_TAKE_CACHE, NULL);
	} else {
		list_source_take(s, LIST_TAKE_BODY, res);
	}
	if (s->again && !s->busy) {
		s->again = false;
		list_source_schedule(s, 0);
	}
}

static void start_download(struct list_source *s)
{
	/* What the validators stand for must be here, and from this source. */
	bool known = s->content && s->kept.source && !strcmp(s->kept.source, s->rec.source) &&
		     !s->accept_shrunk;
	int err;

	if (s->env->fetching >= DOWNLOADS_MAX) {
		list_source_schedule(s, DOWNLOAD_WAIT_MS);
		return;
	}
	err = list_url_start(&s->env->url, s->rec.source, known ? s->kept.etag : NULL,
		known ? s->kept.last_modified : NULL, on_downloaded, s, &s->url);
	if (err) {
		note_failure(s, err == -EINVAL ? "source is neither file:NAME nor an https URL"
					       : strerror(-err));
		return;
	}
	s->env->fetching++;
	s->busy = true;
}

void list_source_fetch(struct list_source *s, bool accept_shrunk)
{
	s->accept_shrunk |= accept_shrunk;
	s->touched_at = 0;
	timer_stop(&s->timer);
	if (s->busy) {
		s->again = true;
	} else if (list_source_is_pinned(s)) {
		if (list_source_is_astray(s))
			list_source_take(s, LIST_TAKE_CACHE, NULL);
	} else if (list_source_is_directus(s)) {
		if (s->given)
			take_given(s);
		else if (list_source_is_astray(s))
			list_source_take(s, LIST_TAKE_CACHE, NULL);
	} else if (!list_source_file(s)) {
		start_download(s);
	} else {
		/* Before the file is read, so that no change falls between. */
		list_source_watch(s);
		list_source_take(s, LIST_TAKE_FILE, NULL);
	}
}

void list_source_give(struct list_source *s, uint8_t *text, size_t len)
{
	free(s->given);
	s->given = text;
	s->given_len = len;
	if (!s->busy && !list_source_is_pinned(s))
		take_given(s);
}

/* ---- life ---- */

static void on_timer(struct timer *t)
{
	struct list_source *s = t->data;

	list_source_fetch(s, false);
}

static void on_timer_closed(struct timer *t)
{
	list_source_unref(t->data);
}

static void on_watch_closed(uv_handle_t *handle)
{
	list_source_unref(handle->data);
}

struct list_source *list_source_new(
	struct list_env *env, const struct rec_list_source *rec, struct list_kept *kept)
{
	struct list_source *s = calloc(1, sizeof(*s));

	if (!s || rec_copy(REC_list_source, rec, &s->rec)) {
		free(s);
		return NULL;
	}
	s->env = env;
	s->bit = -1;
	s->kept = *kept;
	*kept = (struct list_kept){ 0 };
	timer_init(env->loop, &s->timer, on_timer, s);
	uv_fs_event_init(env->loop, &s->watch);
	s->watch.data = s;
	s->refs = 2;
	return s;
}

void list_source_start(struct list_source *s)
{
	if (*s->kept.digest || list_source_is_pinned(s))
		list_source_take(s, LIST_TAKE_CACHE, NULL);
	else
		list_source_fetch(s, false);
}

int list_source_set(struct list_source *s, const struct rec_list_source *rec)
{
	struct rec_list_source copy;
	bool moved = strcmp(s->rec.source, rec->source) != 0;
	int err = rec_copy(REC_list_source, rec, &copy);

	if (err)
		return err;
	rec_fini(REC_list_source, &s->rec);
	s->rec = copy;
	if (moved) {
		s->kept.pin[0] = 0;
		s->stamp = (struct list_file_stamp){ 0 };
		list_source_unwatch(s);
		list_source_fetch(s, false);
	}
	if (!s->busy && has_other_options(s))
		list_source_take(s, LIST_TAKE_CACHE, NULL);
	s->env->on_change(s->env->arg, s, false);
	return 0;
}

void list_source_close(struct list_source *s)
{
	s->closing = true;
	if (s->url) {
		list_url_cancel(s->url);
		s->env->fetching--;
	}
	s->url = NULL;
	timer_close(&s->timer, on_timer_closed);
	uv_close((uv_handle_t *)&s->watch, on_watch_closed);
}
