/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/upstream.h"

#include "common/log.h"
#include "common/timer.h"
#include "dnsd/message.h"
#include "dnsd/upstream_stream.h"
#include "dnsd/upstream_udp.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define RTT_FIRST_MS  50
#define DOWN_FIRST_MS 500
#define DOWN_MAX_MS   16000
#define DOWN_SCORE    1000000

int upstream_parse(const char *text, struct upstream_spec *out, char *why, size_t why_len)
{
	char at[ENDPOINT_STRLEN];

	memset(out, 0, sizeof(*out));
	if (!strncmp(text, "udp://", 6)) {
		out->kind = UPSTREAM_UDP;
		if (!endpoint_parse(text + 6, &out->endpoint))
			return 0;
		snprintf(why, why_len, "%s is not udp://ADDRESS:PORT", text);
		return -EINVAL;
	}
	const char *name = strchr(text, '#');
	if (strncmp(text, "tls://", 6) || !name || (size_t)(name - text - 6) >= sizeof(at) ||
		strlen(name + 1) - 1 >= sizeof(out->name) - 1) {
		snprintf(why, why_len, "%s is not tls://ADDRESS:PORT#NAME or udp://ADDRESS:PORT",
			text);
		return -EINVAL;
	}
	memcpy(at, text + 6, (size_t)(name - text - 6));
	at[name - text - 6] = 0;
	struct name wire;
	struct addr literal;
	if (endpoint_parse(at, &out->endpoint) ||
		(addr_parse(name + 1, &literal) && (name_parse(name + 1, &wire) || wire.len < 2))) {
		snprintf(why, why_len, "%s is not tls://ADDRESS:PORT#NAME", text);
		return -EINVAL;
	}
	out->kind = UPSTREAM_TLS;
	strcpy(out->name, name + 1);
	return 0;
}

void exchange_init(struct exchange *x)
{
	memset(x, 0, sizeof(*x));
	list_init(&x->node);
}

size_t exchange_write(const struct exchange *x, uint8_t out[static EXCHANGE_QUERY_MAX])
{
	if (x->query_len > EXCHANGE_QUERY_MAX - UPSTREAM_COOKIE_OPTION_MAX)
		return 0;
	memcpy(out, x->query, x->query_len);
	message_put16(out, x->id);
	if (x->asked->spec.kind != UPSTREAM_UDP)
		return x->query_len;
	return upstream_cookie_add(&x->asked->cookie, out, x->query_len, x->opt_len_at);
}

void exchange_table_init(struct exchange_table *t)
{
	for (unsigned i = 0; i < EXCHANGE_BUCKETS; i++)
		list_init(&t->buckets[i]);
	t->count = 0;
}

struct exchange *exchange_table_find(struct exchange_table *t, uint16_t id)
{
	list_foreach (&t->buckets[id % EXCHANGE_BUCKETS], it) {
		struct exchange *x = container_of(it, struct exchange, node);
		if (x->id == id)
			return x;
	}
	return NULL;
}

void exchange_table_add(struct exchange_table *t, struct exchange *x, uint16_t random)
{
	/* Far fewer exchanges than ids exist: this ends soon. */
	while (exchange_table_find(t, random))
		random++;
	x->id = random;
	x->table = t;
	list_remove(&x->node);
	list_add(&t->buckets[random % EXCHANGE_BUCKETS], &x->node);
	t->count++;
}

void exchange_table_remove(struct exchange *x)
{
	if (x->table)
		x->table->count--;
	x->table = NULL;
	x->upstream = NULL;
	list_remove(&x->node);
}

void exchange_table_fail(struct exchange_table *t, int status)
{
	for (unsigned i = 0; i < EXCHANGE_BUCKETS; i++) {
		while (!list_is_empty(&t->buckets[i])) {
			struct exchange *x =
				container_of(t->buckets[i].next, struct exchange, node);
			exchange_table_remove(x);
			x->on_failure(x, status);
		}
	}
}

uint16_t entropy_get16(struct entropy *e)
{
	if (e->left < 2) {
		/* Up to 256 bytes come whole, never short. */
		for (size_t i = 0; i < sizeof(e->bytes); i += 256) {
			if (getrandom(e->bytes + i, 256, 0) != 256)
				fatal("no random numbers");
		}
		e->left = sizeof(e->bytes);
	}
	e->left -= 2;
	return message_get16(e->bytes + e->left);
}

int upstream_open(uv_loop_t *loop, struct upstream *u, const struct upstream_spec *spec,
	struct tls_ctx *tls, struct entropy *entropy)
{
	memset(u, 0, sizeof(*u));
	u->loop = loop;
	u->spec = *spec;
	u->tls = spec->kind == UPSTREAM_TLS ? tls : NULL;
	u->entropy = entropy;
	u->rtt_ms = RTT_FIRST_MS;
	for (size_t i = 0; i < sizeof(u->cookie.ours); i += 2)
		message_put16(u->cookie.ours + i, entropy_get16(entropy));
	u->stream = stream_channel_new(u);
	if (!u->stream)
		return -ENOMEM;
	if (spec->kind == UPSTREAM_UDP) {
		u->udp = udp_channel_new(u);
		if (!u->udp)
			return -ENOMEM;
	}
	return 0;
}

void upstream_close(struct upstream *u)
{
	if (u->udp)
		udp_channel_close(u->udp);
	if (u->stream)
		stream_channel_close(u->stream);
	u->udp = NULL;
	u->stream = NULL;
}

int upstream_ask(struct upstream *u, struct exchange *x)
{
	int rc;

	x->sent_ms = clock_mono_ms();
	x->is_repeated = false;
	x->upstream = x->asked = u;
	if (u->spec.kind == UPSTREAM_UDP)
		rc = udp_channel_ask(u->udp, x);
	else
		rc = stream_channel_ask(u->stream, x);
	if (rc)
		exchange_table_remove(x);
	return rc;
}

void upstream_cancel(struct exchange *x)
{
	struct upstream *u = x->upstream;

	if (!u)
		return;
	exchange_table_remove(x);
	if (u->stream)
		stream_channel_note_silence(u->stream, x->sent_ms);
}

void upstream_note_answer(struct upstream *u, uint64_t took_ms)
{
	if (u->failures) {
		char at[ENDPOINT_STRLEN];
		endpoint_format(&u->spec.endpoint, at);
		log_notice("upstream answers again address=%s", at);
	}
	u->heard_ms = clock_mono_ms();
	u->failures = 0;
	u->down_until_ms = 0;
	u->rtt_ms = (uint32_t)((u->rtt_ms * 7 + (took_ms < 3000 ? took_ms : 3000) + 7) / 8);
}

void upstream_note_failure(struct upstream *u)
{
	uint64_t down_ms = DOWN_FIRST_MS;
	char at[ENDPOINT_STRLEN];

	for (unsigned i = 0; i < u->failures && down_ms < DOWN_MAX_MS; i++)
		down_ms *= 2;
	u->down_until_ms = clock_mono_ms() + down_ms;
	if (!u->failures++) {
		endpoint_format(&u->spec.endpoint, at);
		log_warning("upstream fails address=%s", at);
	}
}

uint64_t upstream_score(const struct upstream *u, uint64_t now_ms)
{
	if (now_ms < u->down_until_ms)
		return DOWN_SCORE + u->down_until_ms - now_ms;
	return u->rtt_ms;
}
