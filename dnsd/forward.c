/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/forward.h"

#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_MAX       8192 /* more than can be waited for, so that those find one */
#define PREFETCHES_MAX 1024 /* jobs that nobody waits for from the beginning */
#define JOB_BUCKETS    4096
#define ATTEMPTS       3  /* of one job at the same time */
#define ASKS_MAX       12 /* of one job in all */
#define TICK_MS	       50
#define ROUND_PAUSE_MS 150  /* after every upstream has failed */
#define STALE_AFTER_MS 1800 /* an old answer is given when it takes longer (RFC 8767 5) */
#define SILENCE_MS     500  /* an upstream that says nothing for so long counts as failing */
#define HEDGE_MIN_MS   200
#define HEDGE_MAX_MS   700
#define FAILURE_TTL_S  5   /* SERVFAIL is kept so long (RFC 9520) */
#define PROBE_EVERY    64  /* so many jobs go first to another upstream, to know its speed */
#define PAD_BLOCK      128 /* RFC 8467 */

struct job {
	struct list node; /* active or free */
	struct job *next; /* of the bucket */
	struct forwarder *forwarder;
	uint64_t hash;
	struct question question;
	struct cache_key key;
	struct list waiters;
	struct exchange attempts[ATTEMPTS];
	unsigned asks;
	uint32_t tried; /* bit per upstream, this round */
	bool may_reset; /* a connection that was closed under us is asked again once */
	bool is_prefetch;
	uint64_t started_ms, next_ms; /* when another attempt is due */
	int status;		      /* of the last failure, 0 when there was only silence */
	uint8_t query[MESSAGE_PLAIN_MAX];
};

struct forwarder {
	uv_loop_t *loop;
	struct cache *cache;
	struct tls_ctx *tls;
	struct upstream upstreams[FORWARD_UPSTREAMS_MAX];
	size_t upstream_count;
	struct timer tick;
	struct list active, free; /* jobs that were used before are in one of them */
	unsigned job_count;	  /* of those */
	unsigned prefetches;
	struct job *buckets[JOB_BUCKETS];
	struct job *jobs;
	unsigned started;
	bool closing;
	struct entropy entropy;
	uint8_t scratch[MESSAGE_MAX];
};

static int on_answer(struct exchange *x, const uint8_t *msg, size_t len, bool authentic);
static void on_failure(struct exchange *x, int status);

static void job_unlink(struct job *j)
{
	struct job **link = &j->forwarder->buckets[j->hash % JOB_BUCKETS];

	while (*link != j)
		link = &(*link)->next;
	*link = j->next;
	list_remove(&j->node);
}

static void attempt_drop(struct exchange *x, uint64_t now_ms)
{
	struct upstream *u = x->upstream;

	if (!u)
		return;
	upstream_cancel(x);
	if (now_ms - x->sent_ms >= SILENCE_MS && u->heard_ms < x->sent_ms)
		upstream_note_failure(u);
}

static void release_waiters(struct job *j, const struct forward_result *result)
{
	while (!list_is_empty(&j->waiters)) {
		struct list *node = j->waiters.next;
		list_remove(node);
		struct forward_waiter *w = container_of(node, struct forward_waiter, node);
		w->on_done(w, result);
	}
}

static void job_finish(struct job *j, const struct forward_result *result)
{
	struct forwarder *r = j->forwarder;
	uint64_t now_ms = clock_mono_ms();

	for (unsigned i = 0; i < ATTEMPTS; i++)
		attempt_drop(&j->attempts[i], now_ms);
	job_unlink(j);
	release_waiters(j, result);
	r->prefetches -= j->is_prefetch;
	list_add_front(&r->free, &j->node);
}

static bool job_is_asking(const struct job *j)
{
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		if (j->attempts[i].upstream)
			return true;
	}
	return false;
}

static struct upstream *choose(struct job *j, uint64_t now_ms)
{
	struct forwarder *r = j->forwarder;
	struct upstream *best = NULL;
	bool probe = !j->asks && !(r->started % PROBE_EVERY);
	unsigned offset = probe ? entropy_get16(&r->entropy) : 0;

	for (size_t i = 0; i < r->upstream_count; i++) {
		struct upstream *u = &r->upstreams[(i + offset) % r->upstream_count];
		if (j->tried & 1u << (u - r->upstreams))
			continue;
		if (probe && now_ms >= u->down_until_ms)
			return u;
		if (!best || upstream_score(u, now_ms) < upstream_score(best, now_ms))
			best = u;
	}
	return best;
}

static struct exchange *idle_attempt(struct job *j)
{
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		if (!j->attempts[i].upstream)
			return &j->attempts[i];
	}
	return NULL;
}

static uint64_t hedge_after(const struct upstream *u)
{
	uint64_t ms = 3 * (uint64_t)u->rtt_ms;

	if (ms < HEDGE_MIN_MS)
		return HEDGE_MIN_MS;
	return ms < HEDGE_MAX_MS ? ms : HEDGE_MAX_MS;
}

/* One more attempt; when every upstream has had its chance, a pause and a new round. */
static void job_ask(struct job *j)
{
	uint64_t now_ms = clock_mono_ms();
	struct exchange *x = idle_attempt(j);
	struct upstream *u = NULL;

	while (x && j->asks < ASKS_MAX && (u = choose(j, now_ms))) {
		j->tried |= 1u << (u - j->forwarder->upstreams);
		j->asks++;
		int rc = upstream_ask(u, x);
		if (!rc) {
			j->next_ms = now_ms + hedge_after(u);
			return;
		}
		j->status = rc;
		upstream_note_failure(u);
	}
	if (!u)
		j->tried = 0;
	j->next_ms = now_ms + (job_is_asking(j) ? HEDGE_MAX_MS : ROUND_PAUSE_MS);
}

static bool has_stale(const struct job *j)
{
	const struct cache_entry *e = cache_find(j->forwarder->cache, &j->key);

	return e && cache_entry_is_usable(e, clock_mono_ms());
}

static void job_store(struct job *j, const struct answer_info *info)
{
	struct forwarder *r = j->forwarder;
	struct forward_result result = { .stored = r->scratch, .info = *info };

	/* A failure is kept, but never in the place of an answer that may still serve as a stale
	 * one. */
	bool is_answer = info->rcode == RCODE_NOERROR || info->rcode == RCODE_NXDOMAIN;
	if (is_answer || !has_stale(j))
		cache_put(r->cache, &j->key, info, r->scratch, clock_mono_ms());
	job_finish(j, &result);
}

/* An upstream that cannot answer (SERVFAIL, REFUSED …): perhaps another can. */
static bool job_asks_another(struct job *j)
{
	uint32_t all = (1u << j->forwarder->upstream_count) - 1;

	if (!job_is_asking(j) && j->tried != all)
		job_ask(j);
	return job_is_asking(j);
}

static int on_answer(struct exchange *x, const uint8_t *msg, size_t len, bool authentic)
{
	struct job *j = x->owner;
	struct forwarder *r = j->forwarder;
	struct answer_info info;
	int rc = answer_store(
		msg, len, &j->question, j->key.dnssec_ok, r->scratch, sizeof(r->scratch), &info);

	if (rc == -EBADMSG || rc == -EMSGSIZE)
		return rc;
	upstream_note_answer(x->upstream, clock_mono_ms() - x->sent_ms);
	exchange_table_remove(x);
	if (rc) {
		on_failure(x, rc);
		return 0;
	}
	info.authentic &= authentic;
	if (info.rcode != RCODE_NOERROR && info.rcode != RCODE_NXDOMAIN) {
		if (job_asks_another(j))
			return 0;
		info.ttl_s = FAILURE_TTL_S;
	}
	job_store(j, &info);
	return 0;
}

static void on_failure(struct exchange *x, int status)
{
	struct job *j = x->owner;

	j->status = status;
	if (j->forwarder->closing)
		return;
	if (status == -ECONNRESET && j->may_reset) {
		j->may_reset = false;
		j->tried &= ~(1u << (x->asked - j->forwarder->upstreams));
	} else {
		upstream_note_failure(x->asked);
	}
	if (!job_is_asking(j))
		job_ask(j);
}

static void job_look_after(struct job *j, uint64_t now_ms)
{
	uint64_t age_ms = now_ms - j->started_ms;
	struct forward_result none = { .status = j->status ? j->status : -ETIMEDOUT };

	if (age_ms >= FORWARD_DEADLINE_MS) {
		job_finish(j, &none);
		return;
	}
	if (age_ms >= STALE_AFTER_MS && !list_is_empty(&j->waiters) && has_stale(j))
		release_waiters(j, &none);
	if (now_ms >= j->next_ms)
		job_ask(j);
}

static void on_tick(struct timer *t)
{
	struct forwarder *r = t->data;
	uint64_t now_ms = clock_mono_ms();

	list_foreach_safe (&r->active, it)
		job_look_after(container_of(it, struct job, node), now_ms);
	if (list_is_empty(&r->active))
		timer_stop(&r->tick);
}

static void write_query(struct job *j)
{
	struct message_writer w;
	struct opt_out opt = {
		.udp_size = MESSAGE_UDP_MAX,
		.dnssec_ok = j->key.dnssec_ok,
		.ede = EDE_NONE,
		.pad_to = j->forwarder->tls ? PAD_BLOCK : 0,
	};
	unsigned flags = FLAG_RD | FLAG_AD | (j->key.checking_disabled ? FLAG_CD : 0);

	writer_init(&w, j->query, sizeof(j->query));
	writer_header(&w, 0, (uint16_t)flags);
	writer_question(&w, &j->question);
	writer_opt(&w, &opt);
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct exchange *x = &j->attempts[i];
		exchange_init(x);
		x->owner = j;
		x->query = j->query;
		x->query_len = w.len;
		x->opt_len_at = w.rdlen_pos;
		x->on_answer = on_answer;
		x->on_failure = on_failure;
	}
}

static struct job *job_find(struct forwarder *r, uint64_t hash, const struct cache_key *key)
{
	for (struct job *j = r->buckets[hash % JOB_BUCKETS]; j; j = j->next) {
		if (j->hash == hash && cache_key_equal(&j->key, key))
			return j;
	}
	return NULL;
}

/* The one that was used last, or one that never was; NULL when all are active. */
static struct job *job_take(struct forwarder *r)
{
	if (list_is_empty(&r->free)) {
		if (r->job_count == JOBS_MAX)
			return NULL;
		struct job *fresh = &r->jobs[r->job_count++];
		fresh->forwarder = r;
		list_init(&fresh->node);
		return fresh;
	}
	struct job *j = container_of(r->free.next, struct job, node);
	list_remove(&j->node);
	return j;
}

static struct job *job_start(
	struct forwarder *r, uint64_t hash, const struct cache_key *key, bool is_prefetch)
{
	struct job *j = is_prefetch && r->prefetches >= PREFETCHES_MAX ? NULL : job_take(r);

	if (!j)
		return NULL;
	j->is_prefetch = is_prefetch;
	r->prefetches += is_prefetch;
	j->hash = hash;
	j->question = *key->question;
	j->key = *key;
	j->key.question = &j->question;
	j->asks = 0;
	j->tried = 0;
	j->status = 0;
	j->may_reset = true;
	j->started_ms = clock_mono_ms();
	list_init(&j->waiters);
	write_query(j);
	j->next = r->buckets[hash % JOB_BUCKETS];
	r->buckets[hash % JOB_BUCKETS] = j;
	if (list_is_empty(&r->active))
		timer_start(&r->tick, TICK_MS, TICK_MS);
	list_add(&r->active, &j->node);
	r->started++;
	job_ask(j);
	return j;
}

int forwarder_ask(struct forwarder *r, const struct cache_key *key, struct forward_waiter *w)
{
	uint64_t hash = cache_hash(r->cache, key);
	struct job *j = job_find(r, hash, key);

	if (!j)
		j = job_start(r, hash, key, !w);
	if (!j)
		return -EBUSY;
	if (w)
		list_add(&j->waiters, &w->node);
	return 0;
}

static int open_upstreams(
	struct forwarder *r, const struct upstream_spec *specs, size_t n, const char *ca_file)
{
	for (size_t i = 0; i < n; i++) {
		if (specs[i].kind == UPSTREAM_TLS && !r->tls) {
			struct tls_config cfg = { .ca_file = ca_file, .session_cache = 16 };
			int rc = tls_ctx_new(&cfg, &r->tls);
			if (rc)
				return rc;
		}
		r->upstream_count++;
		int rc = upstream_open(r->loop, &r->upstreams[i], &specs[i], r->tls, &r->entropy);
		if (rc)
			return rc;
	}
	return 0;
}

int forwarder_open(uv_loop_t *loop, const struct upstream_spec *specs, size_t n,
	const char *ca_file, struct cache *cache, struct forwarder **out)
{
	struct forwarder *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (!r || n > FORWARD_UPSTREAMS_MAX)
		goto out;
	r->loop = loop;
	r->cache = cache;
	list_init(&r->active);
	list_init(&r->free);
	r->jobs = calloc(JOBS_MAX, sizeof(*r->jobs));
	if (!r->jobs)
		goto out;
	rc = timer_init(loop, &r->tick, on_tick, r);
	if (rc)
		goto out;
	rc = open_upstreams(r, specs, n, ca_file);
	if (rc) {
		forwarder_close(r);
		return rc;
	}
	*out = r;
	return 0;
out:
	if (r)
		free(r->jobs);
	free(r);
	return rc;
}

/* Channels read nothing of an upstream once it is closed; the timer's end is the forwarder's. */
static void on_tick_closed(struct timer *t)
{
	struct forwarder *r = t->data;

	tls_ctx_free(r->tls);
	free(r->jobs);
	free(r);
}

void forwarder_close(struct forwarder *r)
{
	struct forward_result none = { .status = -ECANCELED };

	r->closing = true;
	for (size_t i = 0; i < r->upstream_count; i++)
		upstream_close(&r->upstreams[i]);
	while (!list_is_empty(&r->active))
		job_finish(container_of(r->active.next, struct job, node), &none);
	timer_close(&r->tick, on_tick_closed);
}
