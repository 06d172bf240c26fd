/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/session.h"
#include "common/log.h"
#include "common/timer.h"
#include "proxyd/connect.h"
#include "proxyd/exchange.h"
#include "proxyd/load.h"
#include "proxyd/original.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const struct stream_limits limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 60000,
	.write_ms = 60000,
};

/* A handshake is over, and nothing has been asked for: as long as http_default_limits gives a first
 * request. */
static const struct stream_limits shown_limits = {
	.connect_ms = 10000,
	.handshake_ms = 10000,
	.idle_ms = 10000,
	.write_ms = 60000,
};

/* ---- idle connection upstream ---- */

static void on_idle_close(struct http_client *c, int why)
{
	struct session *s = http_client_data(c);

	(void)why;
	if (s && s->idle == c)
		s->idle = NULL;
}

static const struct http_client_ops idle_ops = { .on_close = on_idle_close };

static void drop_idle(struct session *s)
{
	struct http_client *c = s->idle;

	if (!c)
		return;
	s->idle = NULL;
	http_client_set_ops(c, &idle_ops, NULL);
	http_client_close(c, 0);
}

static void free_session(struct session *s)
{
	drop_idle(s);
	access_drop(&s->access);
	if (s->load)
		load_release(s->p, s->load);
	list_remove(&s->node);
	free(s);
}

struct load *session_forget(struct session *s)
{
	struct load *l = s->load;

	s->load = NULL;
	s->conn = NULL;
	free_session(s);
	return l;
}

struct http_client *session_take_idle(struct session *s, const struct target *t)
{
	struct http_client *c = s->idle;

	if (!c)
		return NULL;
	if (!http_client_is_idle(c) || strcmp(s->idle_target.host, t->host) != 0 ||
		s->idle_target.port != t->port || s->idle_target.is_https != t->is_https ||
		!connect_may_reuse(s->p, &s->device, t->host, http_client_stream(c))) {
		drop_idle(s);
		return NULL;
	}
	s->idle = NULL;
	return c;
}

void session_put_idle(struct session *s, const struct target *t, struct http_client *c)
{
	drop_idle(s);
	s->idle = c;
	s->idle_target = *t;
	http_client_set_ops(c, &idle_ops, s);
}

/* ---- HTTP ---- */

static void on_request(struct http_request *req)
{
	exchange_begin(http_conn_data(http_request_conn(req)), req);
}

static void on_conn_close(struct http_conn *c, int why)
{
	struct session *s = http_conn_data(c);

	(void)why;
	free_session(s);
}

static const struct http_server_ops http_ops = {
	.on_request = on_request,
	.on_body = exchange_on_body,
	.on_body_end = exchange_on_body_end,
	.on_drain = exchange_on_drain,
	.on_end = exchange_on_end,
	.on_close = on_conn_close,
};

static void start_http(struct session *s, struct stream *stream)
{
	access_drop(&s->access);
	s->state = SESSION_HTTP;
	s->stream = NULL;
	s->conn = http_conn_new(stream, &http_ops, NULL, s);
	if (!s->conn)
		free_session(s);
}

/* ---- after CONNECT ---- */

/* Whoever looks at our key only now, and does not like it, says nothing at all: HTTP begins with
 * the client's first bytes. */
static void on_inner_open(struct stream *stream)
{
	struct session *s = stream_data(stream);

	if (s->state != SESSION_TLS)
		return;
	s->state = SESSION_SHOWN;
	s->shown_at = uv_now(&s->p->d->loop);
	stream_set_limits(stream, &shown_limits);
}

static void on_first_request(struct session *s, struct stream *stream, const void *data, size_t len)
{
	int err = stream_unread(stream, data, len);

	if (err) {
		stream_close(stream, err);
		return;
	}
	pins_trusted(s->p, &s->device, s->target.host);
	stream_set_limits(stream, &limits);
	start_http(s, stream);
}

/* TLS starts with a handshake record, HTTP with a method; nothing else may pass undecrypted. */
static void on_first_bytes(struct stream *stream, const void *data, size_t len)
{
	struct session *s = stream_data(stream);
	uint8_t first = *(const uint8_t *)data;
	bool is_tls = first == 0x16, is_http = first >= 'A' && first <= 'Z';
	int err;

	if (s->state == SESSION_SHOWN) {
		on_first_request(s, stream, data, len);
		return;
	}
	/* What nobody may decrypt is not decrypted on the port of HTTP either. */
	err = is_http || (is_tls && !s->is_blind) ? stream_unread(stream, data, len) : -EPROTO;
	s->target.is_https = is_tls;
	if (!err && is_tls) {
		s->state = SESSION_TLS;
		err = stream_start_tls_server(stream, s->p->mitm_tls, s->target.host);
	} else if (!err) {
		start_http(s, stream);
	}
	if (err)
		stream_close(stream, err);
}

/* After CONNECT nothing came that could be decrypted: most often an app that trusts its own CAs
 * alone. */
static void tell_connect(struct session *s)
{
	const struct access_facts facts = {
		.device = &s->device,
		.method = "CONNECT",
		.host = s->target.host,
		.port = s->target.port,
		.is_https = true,
		.status = 200,
	};

	s->access.has_failed = s->access.verdict == ACCESS_ALLOW;
	access_end(&s->access, s->p, &facts);
}

/* Descriptions of alerts (RFC 8446 6.2): what clients say of a certificate that they do not want.
 */
static bool is_about_certificate(uint8_t alert)
{
	enum { BAD_CERTIFICATE = 42, CERTIFICATE_UNKNOWN = 46, UNKNOWN_CA = 48 };

	return alert == BAD_CERTIFICATE || alert == CERTIFICATE_UNKNOWN || alert == UNKNOWN_CA;
}

/* Time for a client to look at the key, and none for one that keeps a connection ready. */
#define LOOK_MS 2000

/* Did the client hang up on our certificate, during the handshake or right after it? */
static bool has_hung_up(const struct session *s, int why)
{
	if (!s->has_certificate || s->p->stopping)
		return false;
	if (s->state == SESSION_TLS)
		return why == -ECONNRESET;
	return s->state == SESSION_SHOWN && (!why || why == -ECONNRESET) &&
	       uv_now(&s->p->d->loop) - s->shown_at < LOOK_MS;
}

/* Is it an app that has its own idea of the certificate (SPEC P14)? */
static void note_refusal(const struct session *s, struct stream *stream, int why)
{
	struct tls_info tls;
	bool is_alert;

	if (s->is_mismatched || !stream_tls_info(stream, &tls))
		return;
	is_alert = why == -ECONNABORTED && is_about_certificate(tls.peer_alert);
	if (is_alert || has_hung_up(s, why))
		pins_refused(s->p, &s->device, s->target.host, s->began, is_alert);
}

static void on_inner_close(struct stream *stream, int why)
{
	struct session *s = stream_data(stream);

	if (s->state == SESSION_TLS && why)
		log_debug("handshake with a client failed host=%s error=\"%s\"", s->target.host,
			stream_error(stream));
	note_refusal(s, stream, why);
	s->stream = NULL;
	tell_connect(s);
	free_session(s);
}

struct tls_cert *session_select_cert(void *data, void *conn_data, const char *sni)
{
	struct proxy *p = data;
	struct session *s = conn_data;

	s->has_certificate = true;
	if (!sni)
		return cert_minter_get(p->minter, s->target.host);
	s->is_mismatched = strcasecmp(sni, s->target.host) != 0;
	return cert_minter_get(p->minter, sni);
}

void session_start_inner(struct session *s, struct http_request *req)
{
	static const struct stream_ops ops = {
		.on_open = on_inner_open,
		.on_read = on_first_bytes,
		.on_close = on_inner_close,
	};
	struct http_head ok;
	struct stream *stream;

	http_head_init(&ok);
	http_head_set_status(&ok, 200);
	stream = http_request_handover(req, &ok);
	http_head_fini(&ok);
	if (!stream) {
		http_conn_close(s->conn, -EPROTO);
		return;
	}
	s->conn = NULL;
	s->is_inner = true;
	s->began = clock_wall_ms();
	s->state = SESSION_PEEK;
	s->stream = stream;
	stream_set_limits(stream, &limits);
	stream_set_ops(stream, &ops, s);
	stream_resume(stream);
}

/* ---- life ---- */

static void on_plain_close(struct stream *stream, int why)
{
	(void)why;
	free_session(stream_data(stream));
}

/* original.port 0: the explicit proxy. */
static void accept_from(
	struct proxy *p, int fd, const struct addr *device, const struct endpoint *original)
{
	static const struct stream_ops ops = { .on_close = on_plain_close };
	struct session *s = calloc(1, sizeof(*s));
	struct stream *stream;

	if (!s) {
		close(fd);
		return;
	}
	if (stream_accept(&p->d->loop, fd, NULL, &limits, &ops, s, &stream)) {
		free(s); /* the descriptor is closed in any case */
		return;
	}
	s->p = p;
	s->device = *device;
	s->original = *original;
	list_add(&p->sessions, &s->node);
	if (proxy_device(p, device))
		s->load = load_take(p, device);
	if (!s->load) {
		p->refused_clients++;
		stream_close(stream, -EACCES);
		return;
	}
	start_http(s, stream);
}

void session_accept(struct proxy *p, int fd, const struct addr *device)
{
	static const struct endpoint none;

	p->accepted++;
	accept_from(p, fd, device, &none);
}

void session_accept_intercepted(struct proxy *p, int fd, const struct addr *device)
{
	struct endpoint original;

	p->accepted++;
	if (!original_find(fd, device, p->conf, &original)) {
		accept_from(p, fd, device, &original);
		return;
	}
	p->refused_clients++;
	splice_reset(fd);
}

bool session_is_intercepted(const struct session *s)
{
	return s->original.port;
}

void session_close(struct session *s)
{
	if (s->conn)
		http_conn_close(s->conn, -ECANCELED);
	else if (s->stream)
		stream_close(s->stream, -ECANCELED);
}
