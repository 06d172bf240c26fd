/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client's side, whatever the version. */
#include "common/http_client_internal.h"

void *http_client_data(const struct http_client *c)
{
	return c->data;
}

void http_client_set_ops(struct http_client *c, const struct http_client_ops *ops, void *data)
{
	c->ops = ops;
	c->data = data;
}

struct stream *http_client_stream(const struct http_client *c)
{
	return c->impl->stream(c);
}

bool http_client_is_idle(const struct http_client *c)
{
	return c->impl->is_idle(c);
}

uint64_t http_client_age_ms(const struct http_client *c)
{
	return uv_now(stream_loop(http_client_stream(c))) - c->born;
}

bool http_client_is_answered(const struct http_client *c)
{
	return c->is_answered;
}

bool http_client_is_http2(const struct http_client *c)
{
	return c->impl->is_http2;
}

const char *http_client_error(const struct http_client *c)
{
	return c->impl->error(c);
}

enum tls_verify http_client_verify(const struct http_client *c)
{
	return c->impl->verify(c);
}

int http_client_send(struct http_client *c, const struct http_head *head, enum http_framing framing,
	uint64_t len)
{
	return c->impl->send(c, head, framing, len);
}

int http_client_write(struct http_client *c, const void *data, size_t len)
{
	return c->impl->write(c, data, len);
}

int http_client_end(struct http_client *c, const struct http_head *trailers)
{
	return c->impl->end(c, trailers);
}

bool http_client_is_full(const struct http_client *c)
{
	return c->impl->is_full(c);
}

const struct http_head *http_client_head(const struct http_client *c)
{
	return c->head;
}

const struct http_head *http_client_trailers(const struct http_client *c)
{
	return c->trailers;
}

uint64_t http_client_length(const struct http_client *c)
{
	return c->impl->length(c);
}

void http_client_pause(struct http_client *c)
{
	c->impl->pause(c);
}

void http_client_resume(struct http_client *c)
{
	c->impl->resume(c);
}

struct stream *http_client_handover(struct http_client *c)
{
	return c->impl->handover(c);
}

void http_client_close(struct http_client *c, int why)
{
	c->impl->close(c, why);
}
