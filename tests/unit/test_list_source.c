/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a text that Directus gives once (SPEC S4). What takes texts in is a stand-in. */
#include "syncd/list_source_impl.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <stdlib.h>

static struct list_take *taking; /* under way */
static unsigned without_memory;	 /* so many are not begun */

struct list_take *list_take_new(enum list_take_from from, const char *source, const char *lists_dir,
	const char *texts_dir, const uint8_t key[static 16])
{
	struct list_take *t;

	(void)lists_dir, (void)texts_dir, (void)key;
	if (without_memory) {
		without_memory--;
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	t->from = from;
	t->source = strdup(source);
	buf_init(&t->text, 0);
	return t;
}

void list_take_body(struct list_take *t, uint8_t *body, size_t len)
{
	t->text = (struct buf){ .data = body, .len = len, .cap = len };
}

void list_take_start(struct list_take *t, uv_loop_t *loop, void (*on_done)(struct list_take *t))
{
	(void)loop;
	t->on_done = on_done;
	taking = t;
}

bool list_take_is_lost(const struct list_take *t)
{
	return t->err == -ENOENT || t->err == -EBADMSG;
}

void list_content_unref(struct list_content *c)
{
	free(c);
}

uint64_t list_content_size(const struct list_content *c)
{
	return c->report.names;
}

int list_url_start(const struct list_url_env *env, const char *url, const char *etag,
	const char *last_modified, void (*on_done)(void *arg, struct list_url_result *res),
	void *arg, struct list_url **out)
{
	(void)env, (void)url, (void)etag, (void)last_modified, (void)on_done, (void)arg, (void)out;
	return -ENETDOWN;
}

void list_url_cancel(struct list_url *u)
{
	(void)u;
}

void list_source_log(const struct list_source *s)
{
	(void)s;
}

void list_source_count(struct list_source *s)
{
	(void)s;
}

void list_source_unref(struct list_source *s)
{
	if (--s->refs)
		return;
	rec_fini(REC_list_source, &s->rec);
	list_content_unref(s->content);
	free(s->kept.source);
	free(s->error);
	free(s->given);
	free(s);
}

/* What is under way ends; 0: with a content of that digest. */
static void end_taking(int err, bool is_passing, const char *digest)
{
	struct list_take *t = taking;

	taking = NULL;
	t->err = err;
	t->is_passing = is_passing;
	if (!err) {
		t->content = calloc(1, sizeof(*t->content));
		t->content->refs = 1;
		snprintf(t->content->digest, sizeof(t->content->digest), "%s", digest);
	}
	t->on_done(t);
	list_content_unref(t->content);
	buf_fini(&t->text);
	free(t->source);
	free(t);
}

/* ---- a list of Directus ---- */

static uv_loop_t loop;

static void on_change(void *arg, struct list_source *s, bool content)
{
	(void)arg, (void)s, (void)content;
}

static void on_alarm(void *arg, struct list_source *s)
{
	(void)arg, (void)s;
}

static struct list_env env = { .loop = &loop, .on_change = on_change, .on_alarm = on_alarm };

static struct list_source *open_list(void)
{
	struct rec_list_source rec = { .id = (char *)"maps", .source = (char *)"directus:maps" };
	struct list_kept kept = { 0 };

	rec_mark(&rec, list_source, id);
	rec_mark(&rec, list_source, source);
	uv_loop_init(&loop);
	return list_source_new(&env, &rec, &kept);
}

static void close_list(struct list_source *s)
{
	list_source_close(s);
	uv_run(&loop, UV_RUN_DEFAULT);
	INT_IS(uv_loop_close(&loop), 0);
}

static void give(struct list_source *s, const char *text)
{
	list_source_give(s, (uint8_t *)strdup(text), strlen(text));
}

static bool takes(enum list_take_from from, const char *text)
{
	return taking && taking->from == from && taking->text.len == strlen(text) &&
	       (!*text || !memcmp(taking->text.data, text, strlen(text)));
}

/* As its timer does when it is due; ms: not before, 0 = it is not set. */
static void pass_time(struct list_source *s, uint64_t *ms)
{
	*ms = timer_is_active(&s->timer) ? uv_timer_get_due_in(&s->timer.handle) : 0;
	if (*ms)
		list_source_fetch(s, false);
}

static void test_text_that_there_was_no_memory_to_take_in_is_tried_again(void)
{
	struct list_source *s = open_list();
	uint64_t first, second;

	without_memory = 2;
	give(s, "new");
	OK(!taking && s->error);
	pass_time(s, &first);
	OK(!taking);
	pass_time(s, &second);
	OK(takes(LIST_TAKE_BODY, "new"));
	OK(first && first <= 5000 && second > first && second <= 10000);
	end_taking(0, false, "1");
	OK(s->content && !s->error && !s->given);
	close_list(s);
}

static void test_text_that_there_was_no_memory_to_parse_is_tried_again(void)
{
	struct list_source *s = open_list();
	uint64_t ms;

	give(s, "new");
	OK(takes(LIST_TAKE_BODY, "new"));
	end_taking(-ENOMEM, true, NULL);
	pass_time(s, &ms);
	OK(ms && ms <= 5000 && takes(LIST_TAKE_BODY, "new"));
	end_taking(0, false, "1");
	OK(s->content && !s->error);
	close_list(s);
}

static void test_text_that_came_meanwhile_is_the_newer_one(void)
{
	struct list_source *s = open_list();
	uint64_t ms;

	without_memory = 1;
	give(s, "old");
	without_memory = 1;
	give(s, "new");
	pass_time(s, &ms);
	OK(takes(LIST_TAKE_BODY, "new"));
	end_taking(0, false, "1");
	close_list(s);
}

static void test_kept_text_that_cannot_be_had_at_the_start_is_tried_again(void)
{
	static const int errs[] = { -ENOMEM, -EIO };
	uint64_t before = 0, ms;
	struct list_source *s = open_list();

	strcpy(s->kept.digest, "1");
	list_source_start(s);
	for (size_t i = 0; i < 2; i++) {
		OK(takes(LIST_TAKE_CACHE, ""));
		end_taking(errs[i], false, NULL);
		pass_time(s, &ms);
		OK(ms > before && ms <= 2000u << i);
		before = ms;
	}
	OK(takes(LIST_TAKE_CACHE, ""));
	end_taking(0, false, "1");
	OK(s->content);
	close_list(s);
}

static void test_kept_text_that_is_lost_is_not_looked_for(void)
{
	struct list_source *s = open_list();

	strcpy(s->kept.digest, "1");
	list_source_start(s);
	end_taking(-ENOENT, false, NULL);
	list_source_fetch(s, false);
	OK(!taking && !*s->kept.digest);
	close_list(s);
}

static void test_kept_text_that_there_was_no_memory_to_look_for_is_tried_again(void)
{
	struct list_source *s = open_list();
	uint64_t ms;

	strcpy(s->kept.digest, "1");
	without_memory = 1;
	list_source_start(s);
	pass_time(s, &ms);
	OK(ms && ms <= 2000 && takes(LIST_TAKE_CACHE, ""));
	end_taking(0, false, "1");
	close_list(s);
}

int main(void)
{
	TAP_RUN(test_text_that_there_was_no_memory_to_take_in_is_tried_again);
	TAP_RUN(test_text_that_there_was_no_memory_to_parse_is_tried_again);
	TAP_RUN(test_text_that_came_meanwhile_is_the_newer_one);
	TAP_RUN(test_kept_text_that_cannot_be_had_at_the_start_is_tried_again);
	TAP_RUN(test_kept_text_that_is_lost_is_not_looked_for);
	TAP_RUN(test_kept_text_that_there_was_no_memory_to_look_for_is_tried_again);
	return tap_done();
}
