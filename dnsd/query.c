/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/query.h"
#include "common/log.h"
#include "dnsd/answer.h"
#include "dnsd/cookie.h"
#include "dnsd/hold.h"
#include "dnsd/judge.h"
#include "dnsd/tell.h"
#include <errno.h>

#define STALE_TTL_S	   30
#define PREFETCH_TTL_MIN_S 10 /* shorter lives are not worth a prefetch */

static bool is_system(const struct query *q)
{
	return q->to.system;
}

/* The question as the client put it, in lower case. */
static const struct question *asked_of(const struct query *q, struct question *memory)
{
	if (!q->is_alias)
		return &q->question;
	*memory = q->message.question;
	name_lower(&memory->name);
	return memory;
}

/* Who looks at the device is told (D10). */
static void tell(
	const struct query *q, const struct device_view *v, enum count_of what, const char *rule)
{
	static const char *const verdicts[] = {
		[COUNT_ALLOWED] = "allowed", [COUNT_BLOCKED] = "blocked", [COUNT_FAILED] = "failed"
	};
	struct dnsd *d = q->dnsd;
	const struct settings *s = directory_settings(d->directory);
	struct question memory;

	if (!watches_are_any(&d->watches, s))
		return;
	if (watches_has(&d->watches, v, s, clock_wall_ms()))
		tell_query(&d->watches, v, asked_of(q, &memory), verdicts[what], rule);
}

static void count(struct query *q, struct device_view *v, enum count_of what, const char *rule)
{
	struct client *c = v && v->privacy != PRIVACY_NONE ? client_of(v) : NULL;

	if (what == COUNT_BLOCKED)
		q->dnsd->counters.blocked++;
	if (what == COUNT_FAILED)
		q->dnsd->counters.failed++;
	if (c)
		client_count(&q->dnsd->clients, c, what);
	if (v)
		tell(q, v, what, rule);
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
	struct question memory;

	if (out)
		reply_end(&q->to, block_write(&q->message, &j->how, j->ede, j->text, out, cap));
	count(q, v, j->ede == EDE_NONE ? COUNT_ALLOWED : COUNT_BLOCKED, j->text);
	if (v && v->privacy != PRIVACY_NONE && j->list[0])
		list_hits_add(&q->dnsd->clients.lists, v->id, j->list);
	if (j->lists)
		listed_on_block(&q->dnsd->listed, &asked_of(q, &memory)->name, j->lists);
	log_answer(q, j->text);
}

static void send_failure(struct query *q, struct device_view *v, int status)
{
	int ede = status == -ETIMEDOUT ? EDE_NO_AUTHORITY : EDE_NETWORK;

	send_rcode(q, RCODE_SERVFAIL, ede, "no upstream answered");
	count(q, v, COUNT_FAILED, "");
	log_answer(q, "failed");
}

/* What is ours in an answer is written into dnsd.edited. False when it cannot be given. */
static bool edit(struct query *q, const struct judge *judge, struct device_view *v,
	bool drops_private, const uint8_t **stored, size_t *len, struct answer_how *how)
{
	struct question memory;
	struct edit e = {
		.question = asked_of(q, &memory),
		.alias = q->is_alias ? &q->question.name : NULL,
		.alias_ttl_s = q->alias_ttl_s,
		.age_s = how->age_s,
		.drops_ipv6 = !judge_gives_ipv6(judge, v),
		.drops = drops_private ? judge->rebind : NULL,
	};

	if (!edit_is_needed(&e))
		return true;
	*len = edit_answer(&e, *stored, *len, q->dnsd->edited, sizeof(q->dnsd->edited));
	*stored = q->dnsd->edited;
	how->authentic = false;
	return *len > 0;
}

/* True when the answer waits until fwd lets the device in, or has failed for it. */
static bool hold(struct query *q, struct device_view *v, const uint8_t *stored, size_t len,
	const struct answer_how *how)
{
	struct dnsd *d = q->dnsd;
	struct hold_plan plan;

	if (!hold_plan(&d->feeder, v, q->is_renewal, stored, len, &plan))
		return false;
	size_t n = answer_write(stored, len, how, d->held, sizeof(d->held));
	bool is_held =
		n && !hold_start(&d->feeder, &plan, q->client, &q->message, &q->to, d->held, n);
	if (!is_held)
		send_rcode(q, RCODE_SERVFAIL, EDE_NOT_READY, "too much waits for the firewall");
	count(q, v, is_held ? COUNT_ALLOWED : COUNT_FAILED, "");
	return true;
}

/* A stored answer as this client may see it. */
static void send_stored(struct query *q, struct device_view *v, bool may_skip, bool has_targets,
	const uint8_t *stored, size_t len, struct answer_how *how)
{
	struct judge judge;
	struct judgement judgement;
	bool drops_private = false;

	dnsd_judge(q->dnsd, &judge);
	if ((has_targets || q->dnsd->rebind.own_count) && v && !may_skip) {
		judge_targets(&judge, v, &q->question, stored, len, clock_wall_ms(), &judgement);
		if (judgement.judged == JUDGED_SILENCE)
			return;
		if (judgement.judged == JUDGED_BLOCK) {
			send_block(q, v, &judgement);
			return;
		}
		drops_private = judgement.drops_private;
	}
	if (!edit(q, &judge, v, drops_private, &stored, &len, how)) {
		send_failure(q, v, -EBADMSG);
		return;
	}
	how->query = &q->message;
	how->limit = reply_limit(&q->to, answer_udp_limit(&q->message));
	if (v && (v->strict || q->is_renewal) && hold(q, v, stored, len, how))
		return;
	size_t cap;
	uint8_t *out = reply_begin(&q->to, &cap);
	if (!out)
		return;
	reply_end(&q->to, answer_write(stored, len, how, out, cap));
	unsigned rcode = message_get16(stored + 2) & FLAG_RCODE;
	bool is_answer = rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN;
	count(q, v, is_answer ? COUNT_ALLOWED : COUNT_FAILED, "");
	log_answer(q, "passed");
}

static void prefetch(struct query *q, struct cache_entry *e, uint32_t age_s)
{
	struct cache_key key = query_key(q);

	if (e->refreshing || e->ttl_s < PREFETCH_TTL_MIN_S || age_s < e->ttl_s - e->ttl_s / 10)
		return;
	e->refreshing = !forwarder_ask(q->dnsd->forwarder, &key, NULL);
}

/* From the cache; fresh, or whatever there is when nothing newer is to be had. */
static bool send_cached(struct query *q, struct device_view *v, bool may_skip, bool accept_stale)
{
	struct dnsd *d = q->dnsd;
	struct cache_key key = query_key(q);
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

/* Over UDP silence: whoever asks too much is slowed down by asking again. */
static void send_busy(struct query *q)
{
	q->dnsd->counters.busy++;
	if (q->to.tcp)
		send_rcode(q, RCODE_SERVFAIL, EDE_OTHER, "too many questions under way");
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

/* Records of ours, without upstream. */
static void send_own(struct query *q, struct device_view *v, const struct judgement *j)
{
	struct question memory;
	struct answer_how how = { .ede = EDE_NONE };
	uint8_t *own = q->dnsd->own;
	size_t len = own_answer_write(&j->own, asked_of(q, &memory), own, sizeof(q->dnsd->own));

	q->is_alias = false;
	if (len)
		send_stored(q, v, true, false, own, len, &how);
	else
		send_failure(q, v, -ENOSPC);
}

/* The alias that is to be asked for in the name's place; NULL: the name itself. False, and the
 * client is told, when policy has changed under the question. */
static bool takes_alias(struct query *q, struct device_view *v, const struct judgement *j)
{
	bool is_same = q->is_alias ? j && name_equal(&q->question.name, j->alias) : !j;

	if (q->is_asked && !is_same) {
		send_failure(q, v, -EAGAIN);
		return false;
	}
	if (j && !q->is_asked) {
		q->question.name = *j->alias;
		q->alias_ttl_s = j->alias_ttl_s;
		q->is_alias = true;
	}
	return true;
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
	struct judge judge;
	struct judgement judgement;
	struct question memory;

	dnsd_judge(q->dnsd, &judge);
	judge_question(&judge, v, asked_of(q, &memory), clock_wall_ms(), &judgement);
	*may_skip = judgement.final || !v;
	q->is_renewal = judgement.renewal;
	switch (judgement.judged) {
	case JUDGED_SILENCE:
		q->dnsd->counters.unready++;
		return false;
	case JUDGED_BLOCK:
		send_block(q, v, &judgement);
		return false;
	case JUDGED_OWN:
		send_own(q, v, &judgement);
		return false;
	case JUDGED_ALIAS:
	case JUDGED_PASS:
		return takes_alias(q, v, judgement.judged == JUDGED_ALIAS ? &judgement : NULL);
	}
	return false;
}

void query_answer_late(struct query *q, const struct forward_result *r)
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
	listed_on_answer(&q->dnsd->listed, &q->question.name, r->stored, r->info.len);
	if (!is_answer && send_cached(q, v, may_skip, true))
		return;
	send_stored(q, v, may_skip, r->info.has_targets, r->stored, r->info.len, &how);
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
	q.is_alias = q.is_asked = q.is_renewal = false;
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
	if (q.message.edns.has_cookie)
		cookie_add(d->cookie_secret, &q.to.source, q.message.edns.cookie);
	if (v && !(q.client = client_of(v)))
		return;
	q.question = q.message.question;
	name_lower(&q.question.name);
	if (!is_ordinary(&q.message)) {
		if (may_hear(&q))
			refuse(&q);
		return;
	}
	if (!passes(&q, v, &may_skip))
		return;
	if (!send_cached(&q, v, may_skip, false) && query_wait(&q))
		send_busy(&q);
}
