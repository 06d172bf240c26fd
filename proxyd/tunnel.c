/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/tunnel.h"
#include <errno.h>
#include <stdlib.h>

/* Content type of the record that a ClientHello comes in. */
#define TLS_HANDSHAKE 0x16

struct tunnel;

/* One end. */
struct side {
	struct tunnel *tunnel;
	struct stream *stream; /* NULL once closed */
	struct side *other;
};

struct tunnel {
	struct list node;
	struct side client, server;
	bool is_open; /* bytes may pass: nothing is left to look at */
};

static const struct stream_limits limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 600000,
	.write_ms = 60000,
};

static void on_open(struct stream *s)
{
	(void)s; /* both are open when they come here */
}

static void on_read(struct stream *s, const void *data, size_t len)
{
	struct side *from = stream_data(s);
	struct stream *to = from->other->stream;
	struct tunnel *t = from->tunnel;

	if (!t->is_open && from == &t->client && *(const uint8_t *)data != TLS_HANDSHAKE) {
		stream_close(s, -EPROTO);
		return;
	}
	t->is_open = t->is_open || from == &t->client;
	if (!to || stream_write(to, data, len)) {
		stream_close(s, -EPIPE);
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
	free(t);
}

static void take_side(struct tunnel *t, struct side *side, struct side *other, struct stream *s)
{
	static const struct stream_ops ops = { on_open, on_read, on_eof, on_drain, on_close };

	*side = (struct side){ .tunnel = t, .stream = s, .other = other };
	stream_set_limits(s, &limits);
	stream_set_ops(s, &ops, side);
}

void tunnel_start(struct proxy *p, struct stream *client, struct stream *server,
	enum tunnel_kind kind)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (!t) {
		stream_close(client, -ENOMEM);
		stream_close(server, -ENOMEM);
		return;
	}
	t->is_open = kind == TUNNEL_ANY;
	list_add(&p->tunnels, &t->node);
	take_side(t, &t->client, &t->server, client);
	take_side(t, &t->server, &t->client, server);
	stream_resume(server);
	stream_resume(client);
}

void tunnel_close_all(struct proxy *p)
{
	list_foreach_safe (&p->tunnels, it) {
		struct tunnel *t = container_of(it, struct tunnel, node);
		if (t->client.stream)
			stream_close(t->client.stream, -ECANCELED);
		if (t->server.stream)
			stream_close(t->server.stream, -ECANCELED);
	}
}
