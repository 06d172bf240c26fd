/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/dial.h"
#include "common/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dial {
	struct list node;
	struct proxy *p;
	char host[256];
	struct tls_ctx *tls; /* NULL: plain */
	dial_on_done on_done;
	void *arg;
	struct connect *connect; /* while connecting */
	struct stream *stream;	 /* until it is open */
	struct dial_error error;
	bool cancelled;
};

static const struct stream_limits limits = {
	.handshake_ms = 10000,
	.idle_ms = 300000,
	.write_ms = 30000,
};

__attribute__((format(printf, 4, 5))) static void set_error(
	struct dial *d, int status, const char *title, const char *fmt, ...)
{
	va_list ap;

	d->error.status = status;
	d->error.title = title;
	va_start(ap, fmt);
	vsnprintf(d->error.message, sizeof(d->error.message), fmt, ap);
	va_end(ap);
}

static void end(struct dial *d, struct stream *s)
{
	list_remove(&d->node);
	if (!d->cancelled)
		d->on_done(d->arg, s, s ? NULL : &d->error);
	free(d);
}

static void on_open(struct stream *s)
{
	end(stream_data(s), s);
}

static void on_read(struct stream *s, const void *data, size_t len)
{
	/* Open streams belong to others: no byte can come before on_open. */
	(void)data;
	(void)len;
	stream_close(s, -EPROTO);
}

static void on_close(struct stream *s, int why)
{
	struct dial *d = stream_data(s);
	struct tls_info info;

	d->stream = NULL;
	if (stream_tls_info(s, &info) && info.verify != TLS_VERIFY_OK) {
		set_error(d, 502, "Certificate Error",
			"The website's certificate cannot be trusted: %s.",
			tls_verify_text(info.verify));
		log_debug("upstream certificate refused host=%s reason=\"%s\"", d->host,
			tls_verify_text(info.verify));
	} else if (stream_tls_info(s, &info) && info.gap != TLS_GAP_NONE) {
		set_error(d, 502, "No Secure Connection",
			"No secure connection to the website is possible: %s.", info.error);
		log_debug("upstream has no TLS in common with us host=%s reason=\"%s\"", d->host,
			info.error);
	} else if (why == -ETIMEDOUT) {
		set_error(d, 504, "No Answer", "The website did not answer in time.");
	} else {
		set_error(d, 502, "Connection Failed", "The website cannot be reached: %s.",
			*stream_error(s) ? stream_error(s) : strerror(-why));
	}
	end(d, NULL);
}

static void on_connected(void *arg, int fd, const struct addr *to, const struct dial_error *err)
{
	static const struct stream_ops ops = { on_open, on_read, NULL, NULL, on_close };
	struct dial *d = arg;
	int code;

	(void)to;
	d->connect = NULL;
	if (err) {
		d->error = *err;
		end(d, NULL);
		return;
	}
	code = stream_open_fd(&d->p->d->loop, fd, d->tls, d->host, &limits, &ops, d, &d->stream);
	if (!code)
		return;
	set_error(
		d, 502, "Connection Failed", "The website cannot be reached: %s.", strerror(-code));
	end(d, NULL);
}

struct dial *dial_start(struct proxy *p, const struct connect_target *t, struct tls_ctx *tls,
	dial_on_done on_done, void *arg)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->p = p;
	d->tls = tls;
	d->on_done = on_done;
	d->arg = arg;
	snprintf(d->host, sizeof(d->host), "%s", t->host);
	d->connect = connect_start(p, t, on_connected, d);
	if (!d->connect) {
		free(d);
		return NULL;
	}
	list_add(&p->dials, &d->node);
	return d;
}

void dial_cancel(struct dial *d)
{
	d->cancelled = true;
	if (d->stream) {
		stream_close(d->stream, -ECANCELED);
		return;
	}
	connect_cancel(d->connect);
	end(d, NULL);
}
