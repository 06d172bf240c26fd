/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/dial.h"
#include "common/log.h"
#include "common/timer.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dial {
	struct list node;
	struct proxy *p;
	struct addr device;
	char host[256];
	uint16_t port;
	bool use_tls;
	dial_on_done on_done;
	void *arg;
	struct resolver_query *query; /* while resolving */
	struct stream *stream;	      /* while connecting */
	struct addr addrs[RESOLVER_MAX_ADDRS];
	size_t count, next;
	uint64_t give_up_at;	 /* monotonic ms */
	struct dial_error error; /* of the last attempt */
	bool cancelled;
};

/* All addresses together. */
#define CONNECT_MS 20000

static const struct stream_limits limits = {
	.connect_ms = 4000,
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

static void connect_next(struct dial *d);

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
	if (d->cancelled) {
		end(d, NULL);
		return;
	}
	if (stream_tls_info(s, &info) && info.verify != TLS_VERIFY_OK) {
		set_error(d, 502, "Certificate Error",
			"The website's certificate cannot be trusted: %s.",
			tls_verify_text(info.verify));
		log_info("upstream certificate refused host=%s reason=\"%s\"", d->host,
			tls_verify_text(info.verify));
		end(d, NULL); /* another address would show the same name */
		return;
	}
	if (why == -ETIMEDOUT)
		set_error(d, 504, "No Answer", "The website did not answer in time.");
	else
		set_error(d, 502, "Connection Failed", "The website cannot be reached: %s.",
			*stream_error(s) ? stream_error(s) : strerror(-why));
	connect_next(d);
}

/* Tries addresses until one can be dialled; the result comes by callback. */
static void connect_next(struct dial *d)
{
	static const struct stream_ops ops = { on_open, on_read, NULL, NULL, on_close };
	struct device_view *dev = proxy_device(d->p, &d->device);
	struct sockaddr_storage ss;

	while (dev && d->next < d->count && clock_mono_ms() < d->give_up_at) {
		const struct addr *a = &d->addrs[d->next++];
		const char *why = guard_check(&d->p->guard, dev, directory_settings(d->p->dir), a);
		if (why) {
			set_error(d, 403, "Connection Refused",
				"This device may not connect there: %s.", why);
			continue;
		}
		addr_to_sockaddr(a, d->port, &ss);
		int err = stream_connect(&d->p->d->loop, (const struct sockaddr *)&ss,
			d->use_tls ? d->p->upstream_tls : NULL, d->host, &limits, &ops, d,
			&d->stream);
		if (!err)
			return;
		set_error(d, 502, "Connection Failed", "The website cannot be reached: %s.",
			strerror(-err));
	}
	end(d, NULL);
}

static void on_resolved(void *arg, int status, const struct addr *addrs, size_t n)
{
	struct dial *d = arg;

	d->query = NULL;
	if (status == -ETIMEDOUT)
		set_error(d, 504, "Name Not Resolved", "The name %s was not answered in time.",
			d->host);
	else if (status == -ENOENT || status == -EINVAL)
		set_error(
			d, 502, "Name Not Found", "There is no website with the name %s.", d->host);
	else if (status)
		set_error(d, 502, "Name Not Resolved", "The name %s could not be looked up.",
			d->host);
	for (size_t i = 0; !status && i < n; i++)
		d->addrs[d->count++] = addrs[i];
	d->give_up_at = clock_mono_ms() + CONNECT_MS;
	connect_next(d);
}

struct dial *dial_start(struct proxy *p, const struct addr *device, const char *host, uint16_t port,
	bool use_tls, dial_on_done on_done, void *arg)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->p = p;
	d->device = *device;
	d->port = port;
	d->use_tls = use_tls;
	d->on_done = on_done;
	d->arg = arg;
	snprintf(d->host, sizeof(d->host), "%s", host);
	set_error(d, 403, "Connection Refused", "This device is not known here.");
	d->query = resolver_start(p->resolver, d->host, on_resolved, d);
	if (!d->query) {
		free(d);
		return NULL;
	}
	list_add(&p->dials, &d->node);
	return d;
}

void dial_cancel(struct dial *d)
{
	d->cancelled = true;
	if (d->query) {
		resolver_cancel(d->query);
		list_remove(&d->node);
		free(d);
		return;
	}
	if (d->stream)
		stream_close(d->stream, -ECANCELED);
}
