/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/terms.h"
#include "common/hmap.h"
#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { APID, SYNCD, OWNERS };
enum { RETRY_MS = 500 };

static const enum bus_daemon daemons[OWNERS] = { BUS_APID, BUS_SYNCD };

struct term {
	bool is_exact;
	char text[];
};

struct terms_job {
	uv_work_t work;
	struct terms *terms; /* NULL: nobody waits */
	struct words_term *list;
	size_t count, ignored;
	uint64_t gens[OWNERS];
	struct words *words;
	int err;
};

struct terms {
	uv_loop_t *loop;
	struct bus *bus;
	enum bus_topic topic;
	const struct directory *dir;
	struct hmap records[OWNERS]; /* id → struct term */
	bool known[OWNERS];
	uint64_t gens[OWNERS];
	int source; /* that was compiled with: enum policy_source */
	struct terms_job *job;
	struct timer retry; /* runs while there was no memory to compile */
	bool is_stale;	    /* changed since the job began */
	struct words *words;
};

/* ---- compiling ---- */

static void job_free(struct terms_job *job)
{
	for (size_t i = 0; i < job->count; i++)
		free((char *)(uintptr_t)job->list[i].text);
	free(job->list);
	words_unref(job->words);
	free(job);
}

static void on_work(uv_work_t *work)
{
	struct terms_job *job = work->data;
	enum words_engine engine = words_default_engine();

	job->err = words_compile(engine, job->list, job->count, &job->ignored, &job->words);
	/* What libhyperscan does not take, our own takes. */
	if (job->err == -EIO && engine != WORDS_AUTOMATON)
		job->err = words_compile(
			WORDS_AUTOMATON, job->list, job->count, &job->ignored, &job->words);
}

static void compile(struct terms *t);

static void compile_later(struct terms *t)
{
	log_error("no memory to compile words, the last good ones stay topic=%s",
		bus_topic_name(t->topic));
	t->is_stale = false;
	timer_start(&t->retry, RETRY_MS, 0);
}

static void on_retry(struct timer *timer)
{
	compile(timer->data);
}

static void put_in_force(struct terms *t, struct terms_job *job)
{
	words_unref(t->words);
	t->words = words_ref(job->words);
	log_info("terms in force topic=%s count=%zu ignored=%zu", bus_topic_name(t->topic),
		words_count(t->words), job->ignored);
	for (int o = 0; o < OWNERS; o++) {
		if (job->gens[o])
			bus_topic_applied(t->bus, t->topic, daemons[o], job->gens[o]);
	}
}

static void on_worked(uv_work_t *work, int status)
{
	struct terms_job *job = work->data;
	struct terms *t = job->terms;

	if (status)
		job->err = status;
	if (t) {
		t->job = NULL;
		/* Those that were asked for meanwhile need the memory no less. */
		if (job->err == -ENOMEM)
			compile_later(t);
		else if (job->err)
			log_error("words not compiled, the last good ones stay error=%s",
				strerror(-job->err));
		else
			put_in_force(t, job);
		if (t->is_stale)
			compile(t);
	}
	job_free(job);
}

static int add_term(struct terms_job *job, const struct term *term)
{
	char *text = strdup(term->text);

	if (!text)
		return -ENOMEM;
	job->list[job->count++] = (struct words_term){ text, term->is_exact };
	return 0;
}

static struct terms_job *job_new(struct terms *t)
{
	struct terms_job *job = calloc(1, sizeof(*job));
	int winner = t->source == POLICY_SOURCE_DIRECTUS ? SYNCD : APID, err;

	if (!job)
		return NULL;
	job->work.data = job;
	job->terms = t;
	memcpy(job->gens, t->gens, sizeof(job->gens));
	job->list =
		calloc(t->records[APID].count + t->records[SYNCD].count + 1, sizeof(*job->list));
	err = job->list ? 0 : -ENOMEM;
	for (int o = 0; o < OWNERS && !err; o++) {
		hmap_foreach (&t->records[o], it) {
			if (o != winner && hmap_find_str(&t->records[winner], it.key))
				continue;
			err = err ? err : add_term(job, it.value);
		}
	}
	if (err) {
		job_free(job);
		return NULL;
	}
	return job;
}

static bool is_known(const struct terms *t)
{
	return t->known[APID] && (t->source != POLICY_SOURCE_DIRECTUS || t->known[SYNCD]);
}

static void compile(struct terms *t)
{
	struct terms_job *job;

	t->is_stale = true;
	if (t->job || !is_known(t))
		return;
	job = t->job = job_new(t);
	t->is_stale = false;
	timer_stop(&t->retry);
	if (job && !uv_queue_work(t->loop, &job->work, on_work, on_worked))
		return;
	t->job = NULL;
	if (job)
		job_free(job);
	compile_later(t);
}

/* ---- the topic ---- */

static int index_of(enum bus_daemon owner)
{
	return owner == BUS_SYNCD ? SYNCD : APID;
}

/* Han, Kana, Hangul, Thai and their like: no blanks between words, or endings joined to them. */
static bool has_unspaced(const char *text)
{
	size_t len = strlen(text);
	uint32_t cp;

	for (size_t i = 0; i < len;) {
		int n = utf8_decode((const uint8_t *)text + i, len - i, &cp);

		if (n > 0 && ((cp >= 0xe00 && cp < 0x1100) || (cp >= 0x1780 && cp < 0x1800) ||
				     (cp >= 0x2e80 && cp < 0xd7b0) || cp >= 0x20000))
			return true;
		i += n > 0 ? (size_t)n : 1;
	}
	return false;
}

static struct term *term_new(enum bus_topic topic, const void *rec)
{
	const struct rec_word *word = rec;
	const struct rec_search_word *search = rec;
	const char *text = topic == TOPIC_words ? word->term : search->term;
	size_t len = strlen(text) + 1;
	struct term *term = malloc(sizeof(*term) + len);

	if (!term)
		return NULL;
	memcpy(term->text, text, len);
	term->is_exact = topic == TOPIC_words ? word->match == MATCH_EXACT && !word->head.closed
					      : !has_unspaced(text);
	return term;
}

static void on_record(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	struct terms *t = arg;
	struct hmap *records = &t->records[index_of(owner)];
	struct term *term;

	if (!rec) {
		hmap_remove_str(records, id);
		return;
	}
	term = term_new(topic, rec);
	if (!term || hmap_set_str(records, id, term)) {
		bus_record_lost(t->bus);
		free(term);
	}
}

static void on_batch_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	struct terms *t = arg;

	(void)topic;
	t->known[index_of(owner)] = true;
	t->gens[index_of(owner)] = gen;
	compile(t);
}

void terms_settings_changed(struct terms *t)
{
	int source = directory_settings(t->dir)->policy_source;

	if (source == t->source)
		return;
	t->source = source;
	compile(t);
}

struct terms *terms_open(
	uv_loop_t *loop, struct bus *bus, enum bus_topic topic, const struct directory *dir)
{
	static const struct bus_topic_ops ops = { on_record, on_batch_end };
	struct terms *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->loop = loop;
	t->bus = bus;
	t->topic = topic;
	t->dir = dir;
	t->source = directory_settings(dir)->policy_source;
	timer_init(loop, &t->retry, on_retry, t);
	for (int o = 0; o < OWNERS; o++)
		hmap_init(&t->records[o], free);
	for (int o = 0; o < OWNERS; o++) {
		if (bus_subscribe(bus, topic, daemons[o], &ops, t)) {
			terms_close(t);
			return NULL;
		}
	}
	return t;
}

static void on_closed(struct timer *timer)
{
	free(timer->data);
}

void terms_close(struct terms *t)
{
	if (t->job)
		t->job->terms = NULL;
	for (int o = 0; o < OWNERS; o++)
		hmap_fini(&t->records[o]);
	words_unref(t->words);
	timer_close(&t->retry, on_closed);
}

struct words *terms_words(const struct terms *t)
{
	return is_known(t) ? t->words : NULL;
}
