/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/tunnel.h"
#include "common/buf.h"
#include "common/log.h"
#include "common/timer.h"
#include "proxyd/client_hello.h"
#include "proxyd/connect.h"
#include "proxyd/judge.h"
#include "proxyd/server_hello.h"
#include "proxyd/stand_in.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A hello, and what a client may send right after it (early data). */
#define HELLO_BUF_MAX (128 * 1024)

struct tunnel;

/* One end. */
struct side {
	struct tunnel *tunnel;
	struct stream *stream; /* NULL once closed */
	struct side *other;
	bool has_ended; /* it sends no more */
};

/* What is waited for; nothing of the client's goes on before. */
enum tunnel_state {
	TUNNEL_HELLO,
	TUNNEL_ANSWER, /* the server's first record */
	TUNNEL_SECOND, /* the hello after a HelloRetryRequest */
	TUNNEL_OPEN,
};

struct tunnel {
	struct list node;
	struct proxy *p;
	struct load *load;
	struct side client, server;
	enum tunnel_state state;
	uint64_t bytes;		 /* to the client */
	char *tls_host;		 /* NULL: anything may pass */
	struct buf held, answer; /* of the client and the server, not passed on yet */
	struct flow flow;
	struct tunnel_terms terms; /* its texts are owned */
};

static const struct stream_limits limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 600000,
	.write_ms = 60000,
};

/* How long a hello, or the answer to it, may take. */
static const struct stream_limits hello_limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 20000,
	.write_ms = 60000,
};

/* Its end, once. */
static void tell(struct tunnel *t)
{
	const struct tunnel_terms *terms = &t->terms;
	const struct access_facts facts = {
		.device = &terms->device,
		.method = terms->rest ? "GET" : "CONNECT",
		.host = terms->host,
		.port = terms->port,
		.is_https = terms->is_https,
		.path = terms->rest,
		.status = terms->rest ? 101 : 200,
		.bytes = t->bytes,
	};

	access_end(&t->terms.access, t->p, &facts);
}

static void free_tunnel(struct tunnel *t)
{
	tell(t);
	load_release(t->p, t->load);
	buf_fini(&t->held);
	buf_fini(&t->answer);
	flow_remove(&t->flow);
	free((char *)t->terms.host);
	free((char *)t->terms.rest);
	free((char *)t->terms.page);
	free(t->tls_host);
	free(t);
}

/* ---- policy ---- */

static void close_both(struct tunnel *t, int why)
{
	if (t->client.stream)
		stream_close(t->client.stream, why);
	if (t->server.stream)
		stream_close(t->server.stream, why);
}

static bool is_allowed(struct flow *f)
{
	struct tunnel *t = container_of(f, struct tunnel, flow);
	const struct tunnel_terms *terms = &t->terms;
	struct proxy *p = t->p;
	struct policy_query q = {
		.path = terms->path,
		.host = terms->host,
		.host_len = strlen(terms->host),
		.rest = terms->rest,
		.rest_len = terms->rest ? strlen(terms->rest) : 0,
		.page_host = terms->page,
		.page_host_len = terms->page ? strlen(terms->page) : 0,
	};
	struct device_view *v = proxy_device(p, &terms->device);
	struct decision d;

	if (!access_is_its(&terms->access, p, &terms->device))
		return false;
	policy_decide(p->policy, v, &q, clock_wall_ms(), &d);
	if (terms->rest ? !judge_is_allowed(&d) : !pins_is_blind(p, v, terms->host, &d))
		return false;
	if (!terms->rest && terms->leads_to != stand_in_tag(p, v, terms->host))
		return false;
	return !t->server.stream ||
	       connect_may_stay(p, &terms->device, terms->host, t->server.stream);
}

static void cut(struct flow *f)
{
	struct tunnel *t = container_of(f, struct tunnel, flow);

	access_refuse(&t->terms.access, t->p, "policy changed");
	flow_remove(f);
	if (t->client.stream)
		stream_reset(t->client.stream, -EACCES);
	close_both(t, -EACCES);
}

static int take_terms(struct tunnel *t, const struct tunnel_terms *terms)
{
	static const struct flow_ops ops = { is_allowed, cut };

	t->terms = *terms;
	t->terms.host = strdup(terms->host);
	t->terms.rest = terms->rest ? strdup(terms->rest) : NULL;
	t->terms.page = terms->page ? strdup(terms->page) : NULL;
	if (!t->terms.host || (terms->rest && !t->terms.rest) || (terms->page && !t->terms.page))
		return -ENOMEM;
	flow_add(&t->p->flows, &t->flow, &ops);
	return 0;
}

/* ---- hellos ---- */

/* Hands on the first bytes of what was held, and keeps the rest. */
static int pass(struct buf *held, size_t len, struct stream *to)
{
	int err = stream_write(to, held->data, len);

	buf_consume(held, len);
	return err;
}

static void open_up(struct tunnel *t)
{
	t->state = TUNNEL_OPEN;
	stream_set_limits(t->client.stream, &limits);
	stream_set_limits(t->server.stream, &limits);
}

/* What the client sent so far: all of it waits until there is a hello that may pass, and what
 * follows a hello until the server has answered. 0 or why not. */
static int judge_hello(struct tunnel *t)
{
	bool is_second = t->state == TUNNEL_SECOND;
	struct client_hello hello;
	int err = is_second ? client_hello_parse_second(t->held.data, t->held.len, &hello)
			    : client_hello_parse(t->held.data, t->held.len, &hello);

	if (err)
		return err == -EAGAIN ? 0 : err;
	if (client_hello_offers(&hello, "dot")) {
		log_info("hello for encrypted dns refused");
		return -EPROTO;
	}
	if (*hello.sni && strcmp(hello.sni, t->tls_host) != 0) {
		log_info("hello for another name than its connection's refused");
		return -EPROTO;
	}
	if (is_second) {
		open_up(t);
		return pass(&t->held, t->held.len, t->server.stream);
	}
	t->state = TUNNEL_ANSWER;
	stream_pause(t->client.stream);
	stream_set_limits(t->server.stream, &hello_limits);
	return pass(&t->held, hello.len, t->server.stream);
}

static int judge_answer(struct tunnel *t)
{
	bool is_retry;
	int err = server_hello_parse(t->answer.data, t->answer.len, &is_retry);

	if (err)
		return err == -EAGAIN ? 0 : err;
	err = pass(&t->answer, t->answer.len, t->client.stream);
	if (err)
		return err;
	stream_resume(t->client.stream);
	if (is_retry) {
		t->state = TUNNEL_SECOND;
		return judge_hello(t);
	}
	open_up(t);
	return t->held.len ? pass(&t->held, t->held.len, t->server.stream) : 0;
}

/* Bytes before both have said what they are. */
static int hold(struct tunnel *t, const struct side *from, const void *data, size_t len)
{
	bool is_client = from == &t->client;
	int err;

	if (!is_client && t->state != TUNNEL_ANSWER)
		return stream_write(t->client.stream, data, len);
	err = buf_append(is_client ? &t->held : &t->answer, data, len);
	if (err)
		return err;
	if (!is_client)
		return judge_answer(t);
	return t->state == TUNNEL_ANSWER ? 0 : judge_hello(t);
}

/* ---- bytes ---- */

static void on_open(struct stream *s)
{
	(void)s; /* both are open when they come here */
}

static void on_read(struct stream *s, const void *data, size_t len)
{
	struct side *from = stream_data(s);
	struct stream *to = from->other->stream;
	struct tunnel *t = from->tunnel;
	int err = to ? 0 : -EPIPE;

	if (from == &t->server)
		t->bytes += len;
	if (!err)
		err = t->state == TUNNEL_OPEN ? stream_write(to, data, len)
					      : hold(t, from, data, len);
	if (err) {
		stream_close(s, err);
		return;
	}
	if (stream_is_full(to))
		stream_pause(s);
}

static void on_eof(struct stream *s)
{
	struct side *from = stream_data(s), *to = from->other;

	from->has_ended = true;
	if (!to->stream)
		return;
	/* When both have ended all is over, as soon as it is sent. */
	if (to->has_ended)
		stream_finish(to->stream, 0);
	else
		stream_shutdown(to->stream);
}

static void on_drain(struct stream *s)
{
	struct side *to = stream_data(s);

	if (to->other->stream)
		stream_resume(to->other->stream);
}

static void on_close(struct stream *s, int why)
{
	struct side *side = stream_data(s);
	struct tunnel *t = side->tunnel;

	side->stream = NULL;
	if (side->other->stream) {
		/* What is still under way to the other end goes out first. */
		stream_finish(side->other->stream, why);
		return;
	}
	list_remove(&t->node);
	free_tunnel(t);
}

static void take_side(struct tunnel *t, struct side *side, struct side *other, struct stream *s)
{
	static const struct stream_ops ops = { on_open, on_read, on_eof, on_drain, on_close };

	*side = (struct side){ .tunnel = t, .stream = s, .other = other };
	stream_set_limits(s, &limits);
	stream_set_ops(s, &ops, side);
}

void tunnel_start(struct proxy *p, struct stream *client, struct stream *server,
	const char *tls_host, const struct tunnel_terms *terms, struct load *load)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (!t) {
		access_drop(&(struct access){ .rule = terms->access.rule });
		load_release(p, load);
		stream_close(client, -ENOMEM);
		stream_close(server, -ENOMEM);
		return;
	}
	t->p = p;
	t->load = load;
	t->state = tls_host ? TUNNEL_HELLO : TUNNEL_OPEN;
	buf_init(&t->held, HELLO_BUF_MAX);
	buf_init(&t->answer, HELLO_BUF_MAX);
	if (tls_host)
		t->tls_host = strdup(tls_host);
	if ((tls_host && !t->tls_host) || take_terms(t, terms)) {
		free_tunnel(t);
		stream_close(client, -ENOMEM);
		stream_close(server, -ENOMEM);
		return;
	}
	list_add(&p->tunnels, &t->node);
	take_side(t, &t->client, &t->server, client);
	take_side(t, &t->server, &t->client, server);
	if (tls_host)
		stream_set_limits(client, &hello_limits);
	stream_resume(server);
	stream_resume(client);
}

void tunnel_close_all(struct proxy *p)
{
	list_foreach_safe (&p->tunnels, it) {
		struct tunnel *t = container_of(it, struct tunnel, node);
		tell(t);
		close_both(t, -ECANCELED);
	}
}
