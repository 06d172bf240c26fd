/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/mail.h"
#include "apid/mail_message.h"
#include "apid/smtp_reply.h"
#include "common/buf.h"
#include "common/stream.h"
#include "common/timer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOTAL_MS = 60000 };

enum mail_state {
	STATE_GREETING,
	STATE_EHLO,
	STATE_STARTTLS,
	STATE_AUTH,
	STATE_FROM,
	STATE_TO,
	STATE_DATA,
	STATE_BODY,
	STATE_QUIT,
};

struct mail {
	const struct outside *o;
	struct resolver_query *query;
	struct addr addrs[RESOLVER_MAX_ADDRS];
	size_t addr_count, addr_next;
	struct stream *stream;
	struct timer deadline;
	enum mail_state state;
	bool is_tls, is_over;
	unsigned handles; /* timer, stream */
	struct buf in, message;
	char *host, *user, *password, *from, **to;
	size_t to_count, to_next;
	uint16_t port;
	enum mail_security security;
	char why[256];
	void (*on_done)(void *arg, int status, const char *why);
	void *arg;
};

/* ---- life ---- */

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void mail_free(struct mail *m)
{
	buf_fini(&m->in);
	buf_fini(&m->message);
	for (size_t i = 0; i < m->to_count; i++)
		free(m->to[i]);
	free(m->to);
	free(m->host);
	free(m->user);
	free_secret(m->password);
	free(m->from);
	free(m);
}

static void release(struct mail *m)
{
	if (!--m->handles)
		mail_free(m);
}

static void on_deadline_closed(struct timer *t)
{
	release(t->data);
}

/* The end, told once. */
static void finish(struct mail *m, int status)
{
	if (m->is_over)
		return;
	m->is_over = true;
	if (m->query)
		resolver_cancel(m->query);
	m->query = NULL;
	if (m->stream && status)
		stream_close(m->stream, status);
	else if (m->stream)
		stream_finish(m->stream, 0);
	timer_close(&m->deadline, on_deadline_closed);
	if (m->on_done)
		m->on_done(m->arg, status, m->why);
}

__attribute__((format(printf, 3, 4))) static void fail(
	struct mail *m, int status, const char *fmt, ...)
{
	va_list ap;

	if (m->is_over)
		return;
	va_start(ap, fmt);
	vsnprintf(m->why, sizeof(m->why), fmt, ap);
	va_end(ap);
	finish(m, status);
}

void mail_cancel(struct mail *m)
{
	m->on_done = NULL;
	finish(m, -ECANCELED);
}

static void on_deadline(struct timer *t)
{
	fail(t->data, -ETIMEDOUT, "no answer in time");
}

/* ---- the dialogue ---- */

static void write_line(struct mail *m, enum mail_state next, const void *line, size_t len)
{
	m->state = next;
	if (stream_write(m->stream, line, len))
		fail(m, -EPIPE, "the connection broke");
}

__attribute__((format(printf, 3, 4))) static void say(
	struct mail *m, enum mail_state next, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(line) - 2) {
		fail(m, -EMSGSIZE, "a line is too long");
		return;
	}
	memcpy(line + len, "\r\n", 2);
	write_line(m, next, line, (size_t)len + 2);
}

/* RFC 4616: NUL user NUL password. */
static void say_auth(struct mail *m)
{
	struct buf plain, line;

	buf_init(&plain, 1024);
	buf_init(&line, 2048);
	buf_append_byte(&plain, '\0');
	buf_append_str(&plain, m->user);
	buf_append_byte(&plain, '\0');
	buf_append_str(&plain, m->password ? m->password : "");
	buf_append_str(&line, "AUTH PLAIN ");
	if (!plain.failed)
		mail_append_base64(&line, plain.data, plain.len);
	buf_append_str(&line, "\r\n");
	if (plain.failed || line.failed)
		fail(m, -ENOMEM, "no memory");
	else
		write_line(m, STATE_AUTH, line.data, line.len);
	if (plain.data)
		explicit_bzero(plain.data, plain.len);
	if (line.data)
		explicit_bzero(line.data, line.len);
	buf_fini(&plain);
	buf_fini(&line);
}

static void take_ehlo(struct mail *m, const struct smtp_reply *r)
{
	if (m->security == MAIL_STARTTLS && !m->is_tls) {
		if (r->starttls)
			say(m, STATE_STARTTLS, "STARTTLS");
		else
			fail(m, -EPROTO, "the server offers no STARTTLS");
	} else if (m->user && !m->is_tls) {
		fail(m, -EPROTO, "a password is for encrypted connections only");
	} else if (m->user && !r->auth_plain) {
		fail(m, -EPROTO, "the server offers no AUTH PLAIN");
	} else if (m->user) {
		say_auth(m);
	} else {
		say(m, STATE_FROM, "MAIL FROM:<%s>", m->from);
	}
}

/* What came before TLS and is not read yet would count as said within it (RFC 3207 4.2). */
static void start_tls(struct mail *m)
{
	if (m->in.len) {
		fail(m, -EPROTO, "the server said more than its answer to STARTTLS");
		return;
	}
	m->is_tls = true;
	if (stream_start_tls_client(m->stream, m->o->tls, m->host))
		fail(m, -EPROTO, "TLS cannot be begun");
}

static void take_reply(struct mail *m, const struct smtp_reply *r)
{
	static const char *const what[] = { [STATE_GREETING] = "greeting",
		[STATE_EHLO] = "EHLO",
		[STATE_STARTTLS] = "STARTTLS",
		[STATE_AUTH] = "AUTH",
		[STATE_FROM] = "MAIL",
		[STATE_TO] = "RCPT",
		[STATE_DATA] = "DATA",
		[STATE_BODY] = "the message",
		[STATE_QUIT] = "QUIT" };
	int wanted = m->state == STATE_DATA ? 3 : 2;

	if (r->code / 100 != wanted) {
		fail(m, -EREMOTEIO, "%s: %d %.180s", what[m->state], r->code, r->text);
		return;
	}
	switch (m->state) {
	case STATE_GREETING:
		say(m, STATE_EHLO, "EHLO culvert.invalid");
		break;
	case STATE_EHLO:
		take_ehlo(m, r);
		break;
	case STATE_STARTTLS:
		start_tls(m);
		break;
	case STATE_AUTH:
		say(m, STATE_FROM, "MAIL FROM:<%s>", m->from);
		break;
	case STATE_FROM:
	case STATE_TO:
		if (m->to_next < m->to_count)
			say(m, STATE_TO, "RCPT TO:<%s>", m->to[m->to_next++]);
		else
			say(m, STATE_DATA, "DATA");
		break;
	case STATE_DATA:
		m->state = STATE_BODY;
		if (stream_write(m->stream, m->message.data, m->message.len))
			fail(m, -EPIPE, "the connection broke");
		break;
	case STATE_BODY:
		/* It has the message: what follows changes nothing. */
		say(m, STATE_QUIT, "QUIT");
		finish(m, 0);
		break;
	case STATE_QUIT:
		break;
	}
}

static void on_read(struct stream *s, const void *data, size_t len)
{
	struct mail *m = stream_data(s);

	if (buf_append(&m->in, data, len)) {
		fail(m, -EPROTO, "the server says too much");
		return;
	}
	while (!m->is_over && m->in.len) {
		struct smtp_reply r;
		int n = smtp_reply_parse((char *)m->in.data, m->in.len, &r);

		if (n < 0)
			fail(m, n, "what the server says is no answer");
		if (n <= 0)
			return;
		buf_consume(&m->in, (size_t)n);
		take_reply(m, &r);
	}
}

/* Within TLS the dialogue begins anew (RFC 3207 4.2). */
static void on_open(struct stream *s)
{
	struct mail *m = stream_data(s);

	if (m->state == STATE_STARTTLS)
		say(m, STATE_EHLO, "EHLO culvert.invalid");
}

static void connect_next(struct mail *m);

static void on_close(struct stream *s, int why)
{
	struct mail *m = stream_data(s);
	bool is_early = m->state == STATE_GREETING && m->addr_next < m->addr_count;

	m->stream = NULL;
	if (!m->is_over && why && is_early)
		connect_next(m);
	else if (!m->is_over)
		fail(m, why ? why : -ECONNRESET, "%s",
			*stream_error(s) ? stream_error(s) : "the server hung up");
	release(m);
}

static void connect_next(struct mail *m)
{
	static const struct stream_ops ops = {
		.on_open = on_open, .on_read = on_read, .on_close = on_close
	};
	struct sockaddr_storage to;
	bool is_tls = m->security == MAIL_TLS;

	addr_to_sockaddr(&m->addrs[m->addr_next++], m->port, &to);
	m->is_tls = is_tls;
	buf_consume(&m->in, m->in.len);
	if (stream_connect(m->o->loop, (struct sockaddr *)&to, is_tls ? m->o->tls : NULL, m->host,
		    NULL, &ops, m, &m->stream)) {
		m->stream = NULL;
		fail(m, -ENOMEM, "no connection can be made");
		return;
	}
	m->handles++;
}

static void on_resolved(void *arg, int status, const struct addr *addrs, size_t n)
{
	struct mail *m = arg;

	m->query = NULL;
	if (status) {
		fail(m, status, "%s: the name has no address", m->host);
		return;
	}
	m->addr_count = outside_allowed(m->o, addrs, n, m->addrs);
	if (m->addr_count)
		connect_next(m);
	else
		fail(m, -EACCES, "%s: its address is private, which is not allowed", m->host);
}

/* ---- the whole ---- */

static int copy_server(struct mail *m, const struct mail_server *s)
{
	m->host = strdup(s->host);
	m->user = s->user ? strdup(s->user) : NULL;
	m->password = s->password ? strdup(s->password) : NULL;
	m->from = strdup(s->from);
	m->to = calloc(s->to_count, sizeof(*m->to));
	m->port = s->port;
	m->security = s->security;
	for (; m->to && m->to_count < s->to_count; m->to_count++) {
		m->to[m->to_count] = strdup(s->to[m->to_count]);
		if (!m->to[m->to_count])
			return -ENOMEM;
	}
	return m->host && m->from && m->to && (m->user || !s->user) && (m->password || !s->password)
		       ? 0
		       : -ENOMEM;
}

int mail_send(const struct outside *o, const struct mail_server *server, const char *subject,
	const char *text, void (*on_done)(void *arg, int status, const char *why), void *arg,
	struct mail **out)
{
	struct mail *m = calloc(1, sizeof(*m));
	int r = m ? 0 : -ENOMEM;

	if (r)
		return r;
	m->o = o;
	m->on_done = on_done;
	m->arg = arg;
	buf_init(&m->in, SMTP_REPLY_MAX);
	buf_init(&m->message, 0);
	r = copy_server(m, server);
	if (!r)
		r = mail_message_format(&m->message, server, subject, text);
	if (!r)
		m->query = resolver_start(o->resolver, m->host, on_resolved, m);
	if (r || !m->query) {
		mail_free(m);
		return -ENOMEM;
	}
	m->handles = 1;
	timer_init(o->loop, &m->deadline, on_deadline, m);
	timer_start(&m->deadline, TOTAL_MS, 0);
	*out = m;
	return 0;
}
