/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/upstream_stream.h"

#include "common/buf.h"
#include "common/log.h"
#include "common/stream.h"
#include "common/timer.h"
#include "dnsd/message.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNDER_WAY_MAX 4096
#define FRAME_HEADER  2
#define SILENCE_MS    1000
#define OUT_MAX	      (UNDER_WAY_MAX * (FRAME_HEADER + EXCHANGE_QUERY_MAX))

static const struct stream_limits limits = {
	.connect_ms = 1500,
	.handshake_ms = 1500,
	.idle_ms = 15000,
	.write_ms = 2000,
	.max_pending = 1024 * 1024,
};

struct stream_channel {
	struct upstream *upstream; /* NULL once closed by its owner */
	struct stream *stream;	   /* NULL when not connected */
	struct list waiting;	   /* exchanges until the connection is open */
	struct exchange_table table;
	struct buf in;
	struct buf out;	    /* questions of this turn: they go at once, in one TLS record */
	uv_prepare_t flush; /* before the loop waits */
	bool flush_closed;
	uint64_t heard_ms; /* opened, or something read */
};

static void maybe_free(struct stream_channel *c)
{
	if (c->upstream || c->stream || !c->flush_closed)
		return;
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

static void on_flush(uv_prepare_t *handle)
{
	struct stream_channel *c = handle->data;

	uv_prepare_stop(handle);
	if (!c->stream || !c->out.len)
		return;
	int rc = stream_write(c->stream, c->out.data, c->out.len);
	buf_reset(&c->out);
	/* Whoever asked hears of it when it is closed. */
	if (rc && c->stream)
		stream_close(c->stream, rc);
}

static int send_query(struct stream_channel *c, struct exchange *x)
{
	uint8_t frame[FRAME_HEADER + EXCHANGE_QUERY_MAX];

	exchange_table_add(&c->table, x, entropy_get16(c->upstream->entropy));
	size_t len = exchange_write(x, frame + FRAME_HEADER);
	if (!len)
		return -EMSGSIZE;
	message_put16(frame, (unsigned)len);
	uv_prepare_start(&c->flush, on_flush);
	return buf_append(&c->out, frame, FRAME_HEADER + len);
}

static void on_open(struct stream *s)
{
	struct stream_channel *c = stream_data(s);

	c->heard_ms = clock_mono_ms();
	while (!list_is_empty(&c->waiting) && stream_is_open(s)) {
		struct exchange *x = container_of(c->waiting.next, struct exchange, node);
		int rc = send_query(c, x);
		if (rc) {
			exchange_table_remove(x);
			x->on_failure(x, rc);
		}
	}
}

/* Whether a plain upstream sends cookies is learnt here, where nobody else can say it. */
static bool is_believed(struct upstream *u, const uint8_t *msg, size_t len)
{
	if (u->spec.kind != UPSTREAM_UDP)
		return true;
	enum cookie_says says = upstream_cookie_read(&u->cookie, msg, len);
	if (says == COOKIE_MISSING)
		upstream_cookie_forget(&u->cookie);
	return says != COOKIE_WRONG;
}

static void take(struct stream_channel *c, const uint8_t *msg, size_t len)
{
	if (len < MESSAGE_HEADER_LEN)
		return;
	struct exchange *x = exchange_table_find(&c->table, message_get16(msg));
	if (!x || !is_believed(c->upstream, msg, len))
		return;
	int rc = x->on_answer(x, msg, len, c->upstream->tls != NULL);
	if (rc != -EMSGSIZE)
		return;
	/* Cut over TCP: there is nowhere else to go. */
	exchange_table_remove(x);
	x->on_failure(x, -EPROTO);
}

static void on_read(struct stream *s, const void *data, size_t len)
{
	struct stream_channel *c = stream_data(s);
	size_t at = 0;

	c->heard_ms = clock_mono_ms();
	if (buf_append(&c->in, data, len)) {
		stream_close(s, -ENOMEM);
		return;
	}
	while (c->upstream && c->stream == s && c->in.len - at >= FRAME_HEADER) {
		size_t frame = message_get16(c->in.data + at);
		if (c->in.len - at < FRAME_HEADER + frame)
			break;
		take(c, c->in.data + at + FRAME_HEADER, frame);
		at += FRAME_HEADER + frame;
	}
	buf_consume(&c->in, at);
}

static void fail_all(struct stream_channel *c, int status)
{
	struct list waiting;

	/* Failed exchanges may be asked again at once, on a new connection. */
	list_init(&waiting);
	while (!list_is_empty(&c->waiting)) {
		struct list *node = c->waiting.next;
		list_remove(node);
		list_add(&waiting, node);
	}
	exchange_table_fail(&c->table, status);
	while (!list_is_empty(&waiting)) {
		struct exchange *x = container_of(waiting.next, struct exchange, node);
		exchange_table_remove(x);
		x->on_failure(x, status);
	}
}

static void on_close(struct stream *s, int why)
{
	struct stream_channel *c = stream_data(s);
	bool was_used = c->table.count || !list_is_empty(&c->waiting);

	if (c->upstream && why && was_used) {
		char at[ENDPOINT_STRLEN];
		endpoint_format(&c->upstream->spec.endpoint, at);
		log_info("upstream connection ended address=%s reason=\"%s\" errno=%d", at,
			stream_error(s), -why);
	}
	c->stream = NULL;
	buf_reset(&c->in);
	buf_reset(&c->out);
	if (c->upstream)
		fail_all(c, why ? why : -ECONNRESET);
	else
		maybe_free(c);
}

static int open_connection(struct stream_channel *c)
{
	static const struct stream_ops ops = {
		.on_open = on_open, .on_read = on_read, .on_close = on_close
	};
	const struct upstream *u = c->upstream;
	struct sockaddr_storage ss;

	addr_to_sockaddr(&u->spec.endpoint.addr, u->spec.endpoint.port, &ss);
	return stream_connect(u->loop, (struct sockaddr *)&ss, u->tls, u->spec.name, &limits, &ops,
		c, &c->stream);
}

struct stream_channel *stream_channel_new(struct upstream *u)
{
	struct stream_channel *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->upstream = u;
	list_init(&c->waiting);
	exchange_table_init(&c->table);
	buf_init(&c->in, 4 * MESSAGE_MAX);
	buf_init(&c->out, OUT_MAX);
	c->flush.data = c;
	uv_prepare_init(u->loop, &c->flush);
	return c;
}

static void on_flush_closed(uv_handle_t *handle)
{
	struct stream_channel *c = handle->data;

	c->flush_closed = true;
	maybe_free(c);
}

void stream_channel_close(struct stream_channel *c)
{
	c->upstream = NULL;
	fail_all(c, -ECANCELED);
	uv_close((uv_handle_t *)&c->flush, on_flush_closed);
	if (c->stream)
		stream_close(c->stream, 0);
}

int stream_channel_ask(struct stream_channel *c, struct exchange *x)
{
	if (!c->upstream)
		return -ECANCELED;
	if (c->table.count >= UNDER_WAY_MAX)
		return -EBUSY;
	if (!c->stream) {
		int rc = open_connection(c);
		if (rc)
			return rc;
	}
	if (stream_is_open(c->stream))
		return send_query(c, x);
	x->table = NULL;
	list_remove(&x->node);
	list_add(&c->waiting, &x->node);
	return 0;
}

void stream_channel_note_silence(struct stream_channel *c, uint64_t sent_ms)
{
	uint64_t now_ms = clock_mono_ms();

	if (c->stream && stream_is_open(c->stream) && sent_ms > c->heard_ms &&
		now_ms - sent_ms >= SILENCE_MS)
		stream_close(c->stream, -ETIMEDOUT);
}
