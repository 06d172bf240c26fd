/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/websocket_client.h"
#include "common/random.h"
#include <errno.h>
#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <string.h>
#include <wslay/wslay.h>

#define DEADLINE_MS 20000 /* for the upgrade's answer */
#define MESSAGE_MAX (1u << 20)
#define GUID	    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 4.1 */

/* Not from within: what takes a read apart ends first. */
static void free_frames(struct websocket_client *w)
{
	if (w->frames && !w->is_reading) {
		wslay_event_context_free(w->frames);
		w->frames = NULL;
	}
}

void websocket_client_close(struct websocket_client *w)
{
	struct http_client *http = w->http;
	struct stream *stream = w->stream;

	w->http = NULL;
	w->stream = NULL;
	if (http)
		http_client_close(http, 0);
	if (stream)
		stream_close(stream, 0);
	free_frames(w);
}

static void end(struct websocket_client *w, const char *what, const char *why)
{
	char text[192];

	snprintf(text, sizeof(text), "%.60s%.120s", what, why);
	websocket_client_close(w);
	w->ops->on_end(w->arg, text);
}

/* ---- frames ---- */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *to, size_t len, int flags, void *arg)
{
	struct websocket_client *w = arg;

	(void)flags;
	if (!w->input_len) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (len > w->input_len)
		len = w->input_len;
	memcpy(to, w->input, len);
	w->input += len;
	w->input_len -= len;
	return (ssize_t)len;
}

static ssize_t on_send(
	wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags, void *arg)
{
	struct websocket_client *w = arg;

	(void)flags;
	if (w->stream && !stream_write(w->stream, data, len))
		return (ssize_t)len;
	wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *to, size_t len, void *arg)
{
	(void)ctx;
	return random_bytes(arg, to, len);
}

static void on_message(
	wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct websocket_client *w = arg;

	(void)ctx;
	if (m->opcode == WSLAY_TEXT_FRAME && w->stream)
		w->ops->on_text(w->arg, (const char *)m->msg, m->msg_length);
}

static void on_read(struct stream *stream, const void *data, size_t len)
{
	struct websocket_client *w = stream_data(stream);
	int err;

	w->input = data;
	w->input_len = len;
	w->is_reading = true;
	err = wslay_event_recv(w->frames);
	w->is_reading = false;
	w->input_len = 0;
	/* Its owner may have closed it, and begun another one. */
	if (w->stream != stream) {
		free_frames(w);
		return;
	}
	if (!err)
		err = wslay_event_send(w->frames);
	if (err || !wslay_event_get_read_enabled(w->frames))
		end(w, "the WebSocket has ended", "");
}

static void on_stream_close(struct stream *stream, int why)
{
	struct websocket_client *w = stream_data(stream);

	if (w->stream != stream)
		return;
	w->stream = NULL;
	end(w, "the WebSocket was closed", why ? ": broken" : "");
}

static const struct stream_ops stream_ops = { .on_read = on_read, .on_close = on_stream_close };

static int start_frames(struct websocket_client *w)
{
	static const struct wslay_event_callbacks callbacks = { .recv_callback = on_recv,
		.send_callback = on_send,
		.genmask_callback = on_mask,
		.on_msg_recv_callback = on_message };

	if (wslay_event_context_client_init(&w->frames, &callbacks, w))
		return -ENOMEM;
	wslay_event_config_set_max_recv_msg_length(w->frames, MESSAGE_MAX);
	return 0;
}

void websocket_client_send(struct websocket_client *w, const char *text, size_t len)
{
	struct wslay_event_msg message = {
		.opcode = WSLAY_TEXT_FRAME, .msg = (const uint8_t *)text, .msg_length = len
	};

	/* From within a read what is queued goes out at its end. */
	if (w->stream && !wslay_event_queue_msg(w->frames, &message) && !w->is_reading)
		wslay_event_send(w->frames);
}

/* ---- the upgrade ---- */

static int make_key(struct websocket_client *w)
{
	unsigned char raw[16], digest[20];
	char text[sizeof(w->key) + sizeof(GUID)];
	size_t len;

	if (random_bytes(NULL, raw, sizeof(raw)) || mbedtls_base64_encode((unsigned char *)w->key,
							    sizeof(w->key), &len, raw, sizeof(raw)))
		return -EIO;
	snprintf(text, sizeof(text), "%s" GUID, w->key);
	if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), (const unsigned char *)text,
		    strlen(text), digest) ||
		mbedtls_base64_encode((unsigned char *)w->accept, sizeof(w->accept), &len, digest,
			sizeof(digest)))
		return -EIO;
	return 0;
}

static int make_head(struct websocket_client *w, struct http_head *head)
{
	const char *const headers[][2] = { { "Host", w->authority }, { "Connection", "Upgrade" },
		{ "Upgrade", "websocket" }, { "Sec-WebSocket-Version", "13" },
		{ "Sec-WebSocket-Key", w->key } };
	int err = http_head_set_request(head, "GET", w->path);

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers) && !err; i++)
		err = http_head_add(head, headers[i][0], headers[i][1]);
	return err;
}

static void on_http_open(struct http_client *c)
{
	struct websocket_client *w = http_client_data(c);
	struct http_head head;
	int err = make_key(w);

	http_head_init(&head);
	if (!err)
		err = make_head(w, &head);
	if (!err)
		err = http_client_send(c, &head, HTTP_BODY_NONE, 0);
	http_head_fini(&head);
	if (err)
		end(w, "cannot ask for a WebSocket: ", strerror(-err));
}

static void on_response(struct http_client *c)
{
	struct websocket_client *w = http_client_data(c);
	const struct http_head *head = http_client_head(c);
	const char *accept = http_head_get(head, "sec-websocket-accept");
	struct stream_limits limits = stream_default_limits;
	char status[24];

	if (head->status != 101 || !accept || strcmp(accept, w->accept) != 0) {
		snprintf(status, sizeof(status), "%d", head->status);
		end(w, "no WebSocket: HTTP status ", status);
		return;
	}
	w->stream = http_client_handover(c);
	w->http = NULL;
	if (!w->stream || start_frames(w)) {
		end(w, "out of memory", "");
		return;
	}
	limits.idle_ms = 0;
	stream_set_limits(w->stream, &limits);
	stream_set_ops(w->stream, &stream_ops, w);
	stream_resume(w->stream);
	w->ops->on_open(w->arg);
}

static void on_body(struct http_client *c, const void *data, size_t len)
{
	(void)c, (void)data, (void)len;
}

static void on_response_end(struct http_client *c)
{
	(void)c;
}

static void on_http_close(struct http_client *c, int why)
{
	struct websocket_client *w = http_client_data(c);
	char text[128];

	if (w->http != c)
		return;
	snprintf(text, sizeof(text), "%s",
		*http_client_error(c) ? http_client_error(c) : strerror(-why));
	w->http = NULL;
	end(w, "cannot connect: ", text);
}

static const struct http_client_ops http_ops = { .on_open = on_http_open,
	.on_response = on_response,
	.on_body = on_body,
	.on_response_end = on_response_end,
	.on_close = on_http_close };

int websocket_client_connect(
	struct websocket_client *w, uv_loop_t *loop, const struct websocket_target *to)
{
	static const struct stream_ops silent;
	struct http_limits limits = http_default_limits;
	struct sockaddr_storage at;
	struct stream *stream;
	int err;

	snprintf(w->path, sizeof(w->path), "%s", to->path);
	snprintf(w->authority, sizeof(w->authority), "%s", to->authority);
	limits.header_ms = DEADLINE_MS;
	addr_to_sockaddr(to->addr, to->port, &at);
	err = stream_connect(
		loop, (struct sockaddr *)&at, to->tls, to->host, NULL, &silent, NULL, &stream);
	if (err)
		return err;
	w->http = http_client_new(stream, &http_ops, &limits, w);
	return w->http ? 0 : -ENOMEM;
}

/* ---- life ---- */

void websocket_client_init(
	struct websocket_client *w, const struct websocket_client_ops *ops, void *arg)
{
	*w = (struct websocket_client){ .ops = ops, .arg = arg };
}

void websocket_client_fini(struct websocket_client *w)
{
	free_frames(w);
}
