/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/marks.h"
#include "proxyd/connect.h"
#include "proxyd/path_reader.h"
#include "proxyd/sni_log.h"
#include "proxyd/stand_in.h"
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/* What becomes of a packet; the values of enum path_answer stand for themselves. */
enum outcome { OUTCOME_DROP = 0x100, OUTCOME_HOLD };

static void answer(struct path_reader *r, uint32_t id, unsigned outcome)
{
	uint32_t mark = (uint32_t)outcome << CT_MARK_PATH_SHIFT;

	switch (outcome) {
	case PATH_ANSWER_PENDING:
	case PATH_ANSWER_TENTATIVE:
	case PATH_ANSWER_PASS:
		path_queue_answer(r->queue, id, PATH_ACCEPT, mark);
		return;
	case PATH_ANSWER_DENY:
	case PATH_ANSWER_PROVE:
		path_queue_answer(r->queue, id, PATH_REPEAT, mark);
		return;
	case OUTCOME_DROP:
		r->dropped++;
		path_queue_answer(r->queue, id, PATH_DROP, 0);
		return;
	default:
		return;
	}
}

/* ---- a flow's end ---- */

static void answer_all(struct path_reader *r, const uint32_t *ids, unsigned count, unsigned outcome)
{
	for (unsigned i = 0; i < count; i++)
		answer(r, ids[i], outcome);
}

static void answer_held(struct path_reader *r, struct path_flow *f, unsigned outcome)
{
	uint32_t held[PATH_HELD_MAX];
	unsigned count = path_flows_take_held(&r->flows, f, held);

	answer_all(r, held, count, outcome);
}

static void drop_held(struct path_reader *r, struct path_flow *f)
{
	if (f->reading->asking)
		names_cancel(f->reading->asking);
	f->reading->asking = NULL;
	answer_held(r, f, OUTCOME_DROP);
}

void path_forget(struct path_reader *r, struct path_flow *f)
{
	if (f->reading)
		drop_held(r, f);
	path_flows_remove(&r->flows, f);
}

void path_end_reading(struct path_reader *r, struct path_flow *f)
{
	drop_held(r, f);
	if (f->is_allowed)
		path_reading_end(&r->flows, f);
	else
		path_flows_remove(&r->flows, f);
}

/* From here on the kernel refuses its packets by itself. */
static unsigned deny(struct path_reader *r, struct path_flow *f, unsigned outcome)
{
	if (!f->is_denied)
		r->denied++;
	path_flows_decide(&r->flows, f);
	f->is_denied = true;
	f->is_allowed = false;
	flow_remove(&f->live);
	drop_held(r, f);
	return outcome;
}

/* ---- policy and proof ---- */

static struct addr device_of(const struct path_flow *f)
{
	return addr_from_bytes(f->key.family, f->key.device);
}

static struct addr site_of(const struct path_flow *f)
{
	return addr_from_bytes(f->key.family, f->key.site);
}

static struct sni_question question_of(const struct path_flow *f)
{
	return (struct sni_question){
		.device = device_of(f),
		.host = f->host,
		.has_ech = f->has_ech,
		.has_dot = f->has_dot,
	};
}

static void tell(struct path_reader *r, const struct path_flow *f, struct access *access)
{
	struct addr device = device_of(f);
	const struct access_facts facts = {
		.device = &device,
		.method = "CONNECT",
		.host = f->host,
		.port = f->key.site_port,
		.is_https = true,
		.status = access->verdict == ACCESS_ALLOW ? 200 : 403,
	};

	access_end(access, &r->p, &facts);
}

static uint64_t tag_of(const struct path_flow *f)
{
	struct addr device = device_of(f);

	return stand_in_tag(&f->reader->p, proxy_device(&f->reader->p, &device), f->host);
}

static bool is_cloaked(const struct path_flow *f)
{
	struct addr device = device_of(f);
	struct device_view *v = proxy_device(&f->reader->p, &device);

	return !v || connect_is_cloaked(&f->reader->p, v, f->host);
}

static bool is_live_allowed(struct flow *live)
{
	struct path_flow *f = container_of(live, struct path_flow, live);
	struct sni_question q = question_of(f);

	return sni_is_allowed(&f->reader->p, &q) && f->leads_to == tag_of(f) && !is_cloaked(f);
}

static void cut(struct flow *live)
{
	struct path_flow *f = container_of(live, struct path_flow, live);
	struct path_reader *r = f->reader;

	path_live_kill(&r->live, &f->key);
	path_forget(r, f);
}

/* The destination is the name's: the connection is tentative, and remembered. */
static unsigned allow(struct path_reader *r, struct path_flow *f)
{
	static const struct flow_ops ops = { is_live_allowed, cut };

	r->allowed++;
	path_flows_decide(&r->flows, f);
	f->is_allowed = true;
	flow_add(&r->p.flows, &f->live, &ops);
	return PATH_ANSWER_TENTATIVE;
}

static bool is_never(const struct path_reader *r, const struct addr *site)
{
	const struct conf_prefixes *never = &r->p.conf->never;

	for (size_t i = 0; i < never->n; i++) {
		if (prefix_contains(&never->v[i], site))
			return true;
	}
	return false;
}

/* By what dnsd says of the name. */
static unsigned prove(struct path_reader *r, struct path_flow *f, int status,
	const struct addr *addrs, size_t count)
{
	struct addr site = site_of(f);

	if (!status && is_cloaked(f))
		return deny(r, f, PATH_ANSWER_DENY);
	for (size_t i = 0; !status && i < count; i++) {
		if (addr_equal(&addrs[i], &site))
			return allow(r, f);
	}
	if (status)
		return deny(r, f, PATH_ANSWER_DENY);
	r->unproven++;
	return deny(r, f, PATH_ANSWER_PROVE);
}

static void on_proof(void *arg, int status, const struct addr *addrs, size_t count)
{
	struct path_flow *f = arg;
	struct path_reader *r = f->reader;
	uint32_t held[PATH_HELD_MAX];
	unsigned held_count = path_flows_take_held(&r->flows, f, held);
	unsigned outcome;

	f->reading->asking = NULL;
	/* Policy may have changed since it was asked. */
	if (is_live_allowed(&f->live))
		outcome = prove(r, f, status, addrs, count);
	else
		outcome = deny(r, f, PATH_ANSWER_DENY);
	answer_all(r, held, held_count, outcome);
	path_queue_flush(r->queue);
}

static unsigned hold(struct path_reader *r, struct path_flow *f, uint32_t id)
{
	return path_flows_hold(&r->flows, f, id) ? OUTCOME_HOLD : OUTCOME_DROP;
}

static unsigned ask(struct path_reader *r, struct path_flow *f, uint32_t id)
{
	struct addr device = device_of(f);
	const struct addr *addrs;
	struct stand_in s;
	size_t count;
	int status;

	stand_in_find(&r->p, proxy_device(&r->p, &device), f->host, &s);
	f->leads_to = tag_of(f);
	if (s.count)
		return prove(r, f, 0, s.addrs, s.count);
	if (names_get(r->p.names, s.name, &status, &addrs, &count))
		return prove(r, f, status, addrs, count);
	f->reading->asking = names_start(r->p.names, s.name, on_proof, f);
	return f->reading->asking ? hold(r, f, id) : deny(r, f, PATH_ANSWER_DENY);
}

static unsigned judge_hello(
	struct path_reader *r, struct path_flow *f, const struct client_hello *hello, uint32_t id)
{
	struct addr address, site = site_of(f), device = device_of(f);
	struct access access;

	/* A name that is an address says nothing (RFC 6066 3); the firewall has to be asked. */
	if (!*hello->sni || !addr_parse(hello->sni, &address)) {
		r->unproven++;
		return deny(r, f, PATH_ANSWER_PROVE);
	}
	free(f->host);
	flow_remove(&f->live);
	f->is_allowed = false;
	f->host = strdup(hello->sni);
	f->has_ech = hello->has_ech;
	f->has_dot = client_hello_offers(hello, "dot") || client_hello_offers(hello, "doq");
	if (!f->host)
		return deny(r, f, PATH_ANSWER_DENY);
	struct sni_question q = question_of(f);
	access_begin(&access, &r->p, &device);
	bool is_fine = sni_judge(&r->p, &q, &access);
	if (is_fine && is_never(r, &site)) {
		is_fine = false;
		access_refuse(&access, &r->p, "address");
	}
	tell(r, f, &access);
	sni_log_tell(&r->p, &q, hello->alpn, is_fine);
	return is_fine ? ask(r, f, id) : deny(r, f, PATH_ANSWER_DENY);
}

/* ---- packets ---- */

static unsigned judge_up(
	struct path_reader *r, struct path_flow *f, const struct path_packet *k, uint32_t id)
{
	struct path_stream *s = &f->reading->tcp;
	struct client_hello hello;
	size_t before = s->store.cap;

	enum path_stream_result result = path_stream_up(s, k, &hello);

	r->flows.bytes += s->store.cap - before;
	path_make_room(r, f);
	switch (result) {
	case PATH_STREAM_MORE:
		return PATH_ANSWER_PENDING;
	case PATH_STREAM_HAS_NAME:
		return judge_hello(r, f, &hello, id);
	case PATH_STREAM_GOOD:
		return f->reading->asking ? hold(r, f, id) : PATH_ANSWER_TENTATIVE;
	case PATH_STREAM_LATER:
		return OUTCOME_DROP;
	case PATH_STREAM_BAD:
		break;
	}
	return deny(r, f, PATH_ANSWER_DENY);
}

static unsigned judge_down(struct path_reader *r, struct path_flow *f, const struct path_packet *k)
{
	const struct path_stream *s = &f->reading->tcp;

	switch (path_stream_down(&f->reading->tcp, k)) {
	case PATH_STREAM_MORE:
		return s->stage == PATH_STREAM_SECOND ? PATH_ANSWER_PENDING : PATH_ANSWER_TENTATIVE;
	case PATH_STREAM_GOOD:
		return PATH_ANSWER_PASS;
	default:
		return deny(r, f, PATH_ANSWER_DENY);
	}
}

/* The hello is whole; the datagrams in which it stands pass together, or none does. */
static unsigned judge_quic_hello(
	struct path_reader *r, struct path_flow *f, const struct client_hello *hello, uint32_t id)
{
	unsigned outcome = judge_hello(r, f, hello, id);

	if (outcome != OUTCOME_HOLD)
		answer_held(r, f, outcome);
	return outcome;
}

static unsigned judge_quic(
	struct path_reader *r, struct path_flow *f, const struct path_packet *k, uint32_t id)
{
	struct path_quic *q = f->reading->quic;
	struct client_hello hello;
	size_t before = q->hello.cap;
	enum path_quic_result result = path_quic_up(q, k->payload, k->len, r->room, &hello);

	r->flows.bytes += q->hello.cap - before;
	path_make_room(r, f);
	if (q->is_other)
		drop_held(r, f);
	switch (result) {
	case PATH_QUIC_MORE:
		return hold(r, f, id);
	case PATH_QUIC_PROBE:
		return PATH_ANSWER_PENDING;
	case PATH_QUIC_HAS_NAME:
		return judge_quic_hello(r, f, &hello, id);
	case PATH_QUIC_GOOD:
		return f->reading->asking ? hold(r, f, id) : PATH_ANSWER_TENTATIVE;
	case PATH_QUIC_LOST:
		return OUTCOME_DROP;
	case PATH_QUIC_BAD:
		break;
	}
	return deny(r, f, PATH_ANSWER_DENY);
}

/* Generations come again. Nothing is read of a connection while its packets say that it is new. */
static bool is_of_another(const struct path_flow *f, uint8_t generation, bool is_new)
{
	bool was_read = f->is_allowed || (f->reading && f->reading->tcp.packets);

	return f->generation != generation ||
	       (f->key.protocol == IPPROTO_TCP && is_new && was_read);
}

/* The flow's record, made anew where the packet is of another connection. NULL: there is none, and
 * nobody knows what came before. */
static struct path_flow *find_flow(
	struct path_reader *r, const struct path_key *key, uint32_t mark, bool up)
{
	uint8_t generation = (uint8_t)((mark & CT_MARK_GENERATION) >> CT_MARK_GENERATION_SHIFT);
	bool is_new = mark >> CT_MARK_PATH_SHIFT == PATH_NEW;
	uint64_t now = uv_now(&r->p.d->loop);
	struct path_flow *f = path_flows_find(&r->flows, key);

	if (f && is_of_another(f, generation, is_new)) {
		path_forget(r, f);
		f = NULL;
	}
	if (f && f->reading) {
		path_reading_touch(&r->flows, f->reading, now);
		return f;
	}
	/* Datagrams have no beginning. */
	if (f && key->protocol == IPPROTO_UDP)
		return path_reading_begin(&r->flows, f, now) ? NULL : f;
	if (f || !up || (!is_new && key->protocol == IPPROTO_TCP))
		return NULL;
	path_make_room(r, NULL);
	f = path_flows_add(&r->flows, key, now);
	if (f) {
		f->generation = generation;
		f->reader = r;
	}
	return f;
}

/* Where a connection's bytes begin; again when the packet is sent again. */
static unsigned judge_first(struct path_reader *r, struct path_flow *f, const struct path_packet *k)
{
	struct path_stream *s = &f->reading->tcp;

	if (k->len || s->packets || !path_stream_may_begin(s, k))
		return deny(r, f, PATH_ANSWER_DENY);
	path_stream_begin(s, k);
	return PATH_ANSWER_PENDING;
}

static unsigned judge_packet(
	struct path_reader *r, const struct path_queued *q, const struct path_packet *k)
{
	bool up = proxy_device(&r->p, &k->from) != NULL;
	struct path_key key = path_key_of(k, up);
	struct path_flow *f = find_flow(r, &key, q->mark, up);

	if (!f || f->is_denied)
		return PATH_ANSWER_DENY;
	if (k->protocol == IPPROTO_UDP) {
		/* A former run's, perhaps, of which nothing else is known. */
		f->reading->quic->is_allowed =
			f->is_allowed || q->mark >> CT_MARK_PATH_SHIFT == PATH_TENTATIVE;
		return judge_quic(r, f, k, q->id);
	}
	if (k->flags & TH_SYN)
		return up ? judge_first(r, f, k) : deny(r, f, PATH_ANSWER_DENY);
	return up ? judge_up(r, f, k, q->id) : judge_down(r, f, k);
}

void path_judge(struct path_reader *r, const struct path_queued *q)
{
	struct path_packet k;

	r->packets++;
	if (path_packet_parse(q->data, q->len, !q->is_verified, &k))
		answer(r, q->id, OUTCOME_DROP);
	else
		answer(r, q->id, judge_packet(r, q, &k));
}
