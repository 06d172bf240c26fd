/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "dnsd/answer.h"
#include "dnsd/dnsd.h"
#include "dnsd/judge.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUERIES_MAX	   8192
#define STALE_TTL_S	   30
#define PREFETCH_TTL_MIN_S 10 /* shorter lives are not worth a prefetch */

/* One query; on the stack while it can be answered at once, else in the pool. */
struct query {
	struct list node; /* of dnsd.free */
	struct forward_waiter waiter;
	struct dnsd *dnsd;
	struct reply_to to;
	struct message_query message;
	struct question question; /* the same, its name in lower case */
	struct client *client;	  /* referenced; NULL for system */
};

static bool is_system(const struct query *q)
{
	return q->to.system;
}

static struct cache_key key_of(const struct query *q)
{
	return (struct cache_key){
		.question = &q->question,
		.dnssec_ok = q->message.edns.dnssec_ok,
		.checking_disabled = q->message.flags & FLAG_CD,
	};
}

static void count(struct query *q, struct device_view *v, enum count_of what)
{
	struct client *c = v ? client_of(v) : NULL;

	if (what == COUNT_BLOCKED)
		q->dnsd->counters.blocked++;
	if (what == COUNT_FAILED)
		q->dnsd->counters.failed++;
	if (c)
		client_count(&q->dnsd->clients, c, what);
}

static void log_answer(const struct query *q, const char *verdict)
{
	char name[NAME_ESCAPED_MAX];

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	name_escape(&q->question.name, name);
	log_debug("query answered device=%s name=%s type=%u verdict=\"%s\"",
		q->client ? q->client->id : "system", name, q->question.type, verdict);
}

static void send_rcode(struct query *q, unsigned rcode, int ede, const char *text)
{
	size_t cap;
	uint8_t *out = reply_begin(&q->to, &cap);

	if (out)
		reply_end(&q->to, block_write_rcode(&q->message, rcode, ede, text, out, cap));
}

static void send_block(struct query *q, struct device_view *v, const struct judgement *j)
{
	size_t cap;
	uint8_t *out = reply_begin(&q->to, &cap);

	if (out)
		reply_end(&q->to, block_write(&q->message, j->mode, j->ede, j->text, out, cap));
	count(q, v, j->ede == EDE_NONE ? COUNT_ALLOWED : COUNT_BLOCKED);
	log_answer(q, j->text);
}

static void send_failure(struct query *q, struct device_view *v, int status)
{
	int ede = status == -ETIMEDOUT ? EDE_NO_AUTHORITY : EDE_NETWORK;

	send_rcode(q, RCODE_SERVFAIL, ede, "no upstream answered");
	count(q, v, COUNT_FAILED);
	log_answer(q, "failed");
}

static struct judge judge_of(const struct dnsd *d)
{
	return (struct judge){
		.policy = d->policy,
		.canary = &d->canary,
		.block_mode = (enum block_mode)d->conf->block_mode,
		.has_ipv6 = d->conf->ipv6 == DNSD_IPV6_AUTO ? d->uplink.has_ipv6
							    : d->conf->ipv6 == DNSD_IPV6_YES,
	};
}

/* A stored answer as this client may see it. */
static void send_stored(struct query *q, struct device_view *v, bool may_skip, bool has_targets,
	const uint8_t *stored, size_t len, struct answer_how *how)
{
	struct judge judge = judge_of(q->dnsd);
	struct judgement judgement;

	if (has_targets && v && !may_skip) {
		judge_targets(&judge, v, stored, len, clock_wall_ms(), &judgement);
		if (judgement.judged == JUDGED_SILENCE)
			return;
		if (judgement.judged == JUDGED_BLOCK) {
			send_block(q, v, &judgement);
			return;
		}
	}
	size_t cap;
	uint8_t *out = reply_begin(&q->to, &cap);
	if (!out)
		return;
	how->query = &q->message;
	how->limit = reply_limit(&q->to, answer_udp_limit(&q->message));
	reply_end(&q->to, answer_write(stored, len, how, out, cap));
	unsigned rcode = message_get16(stored + 2) & FLAG_RCODE;
	bool is_answer = rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN;
	count(q, v, is_answer ? COUNT_ALLOWED : COUNT_FAILED);
	log_answer(q, "passed");
}

static void prefetch(struct query *q, struct cache_entry *e, uint32_t age_s)
{
	struct cache_key key = key_of(q);

	if (e->refreshing || e->ttl_s < PREFETCH_TTL_MIN_S || age_s < e->ttl_s - e->ttl_s / 10)
		return;
	e->refreshing = !forwarder_ask(q->dnsd->forwarder, &key, NULL);
}

/* From the cache; fresh, or whatever there is when nothing newer is to be had. */
static bool send_cached(struct query *q, struct device_view *v, bool may_skip, bool accept_stale)
{
	struct dnsd *d = q->dnsd;
	struct cache_key key = key_of(q);
	struct cache_entry *e = cache_find(&d->cache, &key);
	uint64_t now_ms = clock_mono_ms();

	if (!e)
		return false;
	uint32_t age_s = cache_entry_age(e, now_ms);
	bool is_fresh = age_s < e->ttl_s;
	if (!is_fresh && !(accept_stale && cache_entry_is_usable(e, now_ms)))
		return false;
	struct answer_how how = {
		.age_s = age_s,
		.stale_ttl_s = is_fresh ? 0 : STALE_TTL_S,
		.authentic = e->authentic,
		.ede = is_fresh ? EDE_NONE : EDE_STALE,
		.ede_text = "",
	};
	if (is_fresh)
		d->counters.hits++;
	else
		d->counters.stale++;
	send_stored(q, v, may_skip, e->has_targets, cache_entry_answer(e), e->len, &how);
	if (is_fresh)
		prefetch(q, e, age_s);
	return true;
}

/* Is it something to forward at all? ANY is refused (RFC 8482), as are transfers and other classes.
 */
static bool is_ordinary(const struct message_query *m)
{
	const struct question *q = &m->question;
	bool is_meta = (q->type >= TYPE_META_FIRST && q->type <= TYPE_ANY) || q->type == TYPE_OPT ||
		       !q->type;

	return !(m->flags & FLAG_OPCODE) && !(m->edns.present && m->edns.version) &&
	       q->klass == CLASS_IN && !is_meta;
}

static void refuse(struct query *q)
{
	const struct message_query *m = &q->message;

	if (m->flags & FLAG_OPCODE)
		send_rcode(q, RCODE_NOTIMP, EDE_NONE, NULL);
	else if (m->edns.present && m->edns.version)
		send_rcode(q, RCODE_BADVERS, EDE_NONE, NULL);
	else
		send_rcode(q, RCODE_REFUSED, EDE_NONE, NULL);
}

static void send_formerr(struct query *q)
{
	size_t cap;
	uint8_t *out = reply_begin(&q->to, &cap);

	if (out)
		reply_end(&q->to, block_write_formerr(q->message.id, q->message.flags, out, cap));
}

/* Without a policy devices hear nothing at all (D8). */
static bool may_hear(const struct query *q)
{
	return is_system(q) || policy_is_known(q->dnsd->policy);
}

/* The device that asks, as of now: it may have gone, or changed, while the answer was awaited. */
static struct device_view *device_of(const struct query *q)
{
	struct directory *dir = q->dnsd->directory;

	if (is_system(q) || !dir || !directory_is_known(dir))
		return NULL;
	return directory_find(dir, &q->to.source);
}

/* Judges the name; may_skip: an explicit allow covers what it leads to. True when it may be asked.
 */
static bool passes(struct query *q, struct device_view *v, bool *may_skip)
{
	struct judge judge = judge_of(q->dnsd);
	struct judgement judgement;

	*may_skip = true;
	if (is_system(q))
		return true;
	judge_question(&judge, v, &q->question, clock_wall_ms(), &judgement);
	*may_skip = judgement.final;
	switch (judgement.judged) {
	case JUDGED_SILENCE:
		q->dnsd->counters.unready++;
		return false;
	case JUDGED_BLOCK:
		send_block(q, v, &judgement);
		return false;
	case JUDGED_PASS:
		return true;
	}
	return false;
}

static void query_free(struct query *q)
{
	if (q->client)
		q->client->under_way--;
	client_unref(q->client);
	q->client = NULL;
	list_add_front(&q->dnsd->free, &q->node);
}

static void answer_late(struct query *q, const struct forward_result *r)
{
	struct device_view *v = device_of(q);
	bool may_skip;

	if ((!v && !is_system(q)) || !passes(q, v, &may_skip))
		return;
	if (r->status) {
		if (!send_cached(q, v, may_skip, true))
			send_failure(q, v, r->status);
		return;
	}
	struct answer_how how = { .authentic = r->info.authentic, .ede = EDE_NONE };
	bool is_answer = r->info.rcode == RCODE_NOERROR || r->info.rcode == RCODE_NXDOMAIN;
	if (!is_answer && send_cached(q, v, may_skip, true))
		return;
	send_stored(q, v, may_skip, r->info.has_targets, r->stored, r->info.len, &how);
}

static void on_done(struct forward_waiter *w, const struct forward_result *r)
{
	struct query *q = container_of(w, struct query, waiter);

	if (r->status != -ECANCELED && (q->to.udp || q->to.tcp))
		answer_late(q, r);
	/* Takes the query off its connection when it was not answered. */
	if (q->to.tcp && !list_is_empty(&q->to.node))
		reply_end(&q->to, 0);
	query_free(q);
}

static void wait_for_upstream(const struct query *asked, struct device_view *v)
{
	struct dnsd *d = asked->dnsd;
	struct client *c = v ? client_of(v) : NULL;

	if (list_is_empty(&d->free) || (v && (!c || c->under_way >= CLIENT_UNDER_WAY_MAX))) {
		d->counters.busy++;
		return;
	}
	struct query *q = container_of(d->free.next, struct query, node);
	list_remove(&q->node);
	q->dnsd = d;
	q->to = asked->to;
	q->message = asked->message;
	q->question = asked->question;
	q->waiter.on_done = on_done;
	list_init(&q->waiter.node);
	q->client = c ? client_ref(c) : NULL;
	if (c)
		c->under_way++;
	struct cache_key key = key_of(q);
	if (forwarder_ask(d->forwarder, &key, &q->waiter)) {
		d->counters.busy++;
		query_free(q);
		return;
	}
	reply_hold(&q->to);
}

bool query_source_is_known(void *arg, const struct addr *source)
{
	struct dnsd *d = arg;

	return d->directory && directory_is_known(d->directory) &&
	       directory_find(d->directory, source);
}

void query_take(void *arg, const uint8_t *msg, size_t len, struct reply_to *to)
{
	struct dnsd *d = arg;
	struct query q;
	bool may_skip;

	q.dnsd = d;
	q.to = *to;
	list_init(&q.to.node);
	q.client = NULL;
	d->counters.queries++;
	struct device_view *v = device_of(&q);
	if (!v && !is_system(&q)) {
		d->counters.strangers++;
		return;
	}
	int rc = message_parse_query(msg, len, &q.message);
	if (rc) {
		d->counters.malformed++;
		if (rc == -EPROTO && may_hear(&q))
			send_formerr(&q);
		return;
	}
	if (v)
		q.client = client_of(v);
	q.question = q.message.question;
	name_lower(&q.question.name);
	if (!is_ordinary(&q.message)) {
		if (may_hear(&q))
			refuse(&q);
		return;
	}
	if (!passes(&q, v, &may_skip))
		return;
	if (!send_cached(&q, v, may_skip, false))
		wait_for_upstream(&q, v);
}

int query_pool_init(struct dnsd *d)
{
	list_init(&d->free);
	d->pool = calloc(QUERIES_MAX, sizeof(*d->pool));
	if (!d->pool)
		return -ENOMEM;
	for (size_t i = 0; i < QUERIES_MAX; i++)
		list_add(&d->free, &d->pool[i].node);
	return 0;
}

void query_pool_fini(struct dnsd *d)
{
	free(d->pool);
	d->pool = NULL;
}
