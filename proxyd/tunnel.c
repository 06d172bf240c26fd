/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/tunnel.h"
#include "common/buf.h"
#include "common/log.h"
#include "common/timer.h"
#include "proxyd/client_hello.h"
#include "proxyd/connect.h"
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
};

struct tunnel {
	struct list node;
	struct proxy *p;
	struct load *load;
	struct side client, server;
	char *tls_host;	  /* until the hello was read; then, and from the start where anything may
			     pass, NULL */
	struct buf hello; /* as much of it as came */
	struct flow flow;
	struct tunnel_terms terms; /* its texts are owned */
};

static const struct stream_limits limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 600000,
	.write_ms = 60000,
};

/* How long a hello may take. */
static const struct stream_limits hello_limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 10000,
	.write_ms = 60000,
};

static void free_tunnel(struct tunnel *t)
{
	load_release(t->p, t->load);
	buf_fini(&t->hello);
	flow_remove(&t->flow);
	free((char *)t->terms.host);
	free((char *)t->terms.rest);
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
	};
	struct decision d;

	policy_decide(p->policy, proxy_device(p, &terms->device), &q, clock_wall_ms(), &d);
	if ((d.verdict != VERDICT_ALLOW && d.verdict != VERDICT_PASS) ||
		(!terms->rest && !d.no_decrypt))
		return false;
	return !t->server.stream || connect_may_reuse(p, &terms->device, t->server.stream);
}

static void cut(struct flow *f)
{
	struct tunnel *t = container_of(f, struct tunnel, flow);

	flow_remove(f);
	close_both(t, -EACCES);
}

static int take_terms(struct tunnel *t, const struct tunnel_terms *terms)
{
	static const struct flow_ops ops = { is_allowed, cut };

	t->terms = *terms;
	t->terms.host = strdup(terms->host);
	t->terms.rest = terms->rest ? strdup(terms->rest) : NULL;
	if (!t->terms.host || (terms->rest && !t->terms.rest))
		return -ENOMEM;
	flow_add(&t->p->flows, &t->flow, &ops);
	return 0;
}

/* ---- bytes ---- */

/* The client's first bytes, held until they are a hello that may pass. 0, -EAGAIN or why not. */
static int judge_hello(struct tunnel *t, const void *data, size_t len)
{
	struct client_hello hello;
	int err = buf_append(&t->hello, data, len);

	if (!err)
		err = client_hello_parse(t->hello.data, t->hello.len, &hello);
	if (!err && *hello.sni && strcmp(hello.sni, t->tls_host) != 0) {
		log_info("hello for another name than its connection's refused");
		err = -EPROTO;
	}
	return err;
}

/* Hands on what was held. */
static int pass_hello(struct tunnel *t)
{
	int err = stream_write(t->server.stream, t->hello.data, t->hello.len);

	buf_fini(&t->hello);
	buf_init(&t->hello, HELLO_BUF_MAX);
	free(t->tls_host);
	t->tls_host = NULL;
	stream_set_limits(t->client.stream, &limits);
	return err;
}

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

	if (!err && t->tls_host && from == &t->client) {
		err = judge_hello(t, data, len);
		if (err == -EAGAIN)
			return;
		if (!err)
			err = pass_hello(t);
	} else if (!err) {
		err = stream_write(to, data, len);
	}
	if (err) {
		stream_close(s, err);
		return;
	}
	if (stream_is_full(to))
		stream_pause(s);
}

static void on_eof(struct stream *s)
{
	struct side *from = stream_data(s);

	if (from->other->stream)
		stream_shutdown(from->other->stream);
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
		load_release(p, load);
		stream_close(client, -ENOMEM);
		stream_close(server, -ENOMEM);
		return;
	}
	t->p = p;
	t->load = load;
	buf_init(&t->hello, HELLO_BUF_MAX);
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
		close_both(t, -ECANCELED);
	}
}
