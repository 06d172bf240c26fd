/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "proxyd/filter_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So much of a body that is not needed is rather read than the connection closed. */
#define REST_MAX (16u << 10)

static int on_sink(void *arg, const void *data, size_t len)
{
	const struct filter *f = arg;

	return f->x ? http_response_write(f->x->req, data, len) : -ECANCELED;
}

static bool is_sink_full(void *arg)
{
	const struct filter *f = arg;

	return f->x && http_response_is_full(f->x->req);
}

static void on_turn(struct timer *t)
{
	filter_resume(t->data);
}

struct filter *filter_new(struct exchange *x)
{
	struct filter *f = calloc(1, sizeof(*f));
	const struct body_sink sink = { on_sink, is_sink_full, f };

	if (!f || timer_init(&x->p->d->loop, &f->turn, on_turn, f)) {
		free(f);
		return NULL;
	}
	f->x = x;
	f->p = x->p;
	body_chain_init(&f->chain, &sink);
	return f;
}

static void on_timer_closed(struct timer *t)
{
	free(t->data);
}

static void let_go(struct filter *f)
{
	body_chain_fini(&f->chain);
	timer_close(&f->turn, on_timer_closed);
}

void filter_close(struct filter *f)
{
	if (!f)
		return;
	f->x->filter = NULL;
	f->x = NULL;
	/* From within the chain: freed on the way out. */
	if (!f->is_running)
		let_go(f);
}

static void count(const struct filter *f)
{
	struct filtering *c = f->p->filtering;

	c->masked += f->words.masked;
	c->lost_scripts += f->words.lost;
	c->unknown_charsets += f->words.has_unknown_charset;
}

static void break_off(struct filter *f, int err)
{
	f->p->filtering->broken++;
	log_debug("body broken off host=%s error=%s", f->x->target.host, strerror(-err));
	http_response_abort(f->x->req);
}

/* The client has all that it gets. */
static void complete(struct filter *f)
{
	count(f);
	f->is_done = true;
	http_response_end(f->x->req, NULL);
}

/* How much of the body is still to come, as it was declared. */
static uint64_t rest_of(const struct filter *f)
{
	uint64_t len = http_client_length(f->x->client);

	return len == UINT64_MAX || len < f->received ? UINT64_MAX : len - f->received;
}

/* No more of the body is needed: cuts it off, unless its end is near. */
static void cut_off(struct filter *f)
{
	struct http_client *client = f->x->client;

	if (!client || rest_of(f) <= REST_MAX)
		return;
	f->has_ended = true;
	http_client_close(client, 0);
	complete(f);
}

/* What the chain said is done. f may be gone afterwards. */
static void settle(struct filter *f, int ret)
{
	struct exchange *x = f->x;

	f->is_running = false;
	if (!x) {
		let_go(f);
	} else if (ret < 0) {
		break_off(f, ret);
	} else if (ret == BODY_LATER) {
		if (x->client)
			http_client_pause(x->client);
		/* A full client says when it has room. */
		if (!http_response_is_full(x->req))
			timer_start(&f->turn, 0, 0);
	} else if (f->has_ended) {
		complete(f);
	} else {
		if (x->client)
			http_client_resume(x->client);
		if (f->chain.has_enough)
			cut_off(f);
	}
}

void filter_write(struct filter *f, const void *data, size_t len)
{
	f->received += len;
	f->is_running = true;
	settle(f, body_chain_write(&f->chain, data, len));
}

void filter_end(struct filter *f)
{
	f->has_ended = true;
	f->is_running = true;
	settle(f, body_chain_end(&f->chain));
}

void filter_resume(struct filter *f)
{
	if (f->is_running || f->is_done)
		return;
	f->is_running = true;
	settle(f, body_chain_resume(&f->chain));
}

bool filter_has_ended(const struct filter *f)
{
	return f->has_ended;
}
