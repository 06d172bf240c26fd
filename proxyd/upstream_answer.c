/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/filter.h"
#include "proxyd/judge.h"
#include "proxyd/page.h"
#include "proxyd/pool.h"
#include "proxyd/upstream_impl.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The server's head as the client gets it. */
static int make_response_head(const struct http_head *from, struct http_head *out)
{
	int err = http_head_copy(out, from);

	http_head_strip_hop(out);
	/* Another way to the same site that would not come through here. */
	http_head_remove(out, "Alt-Svc");
	http_head_remove(out, "Alternate-Protocol");
	return err;
}

static enum http_framing response_framing(const struct exchange *x, uint64_t *len)
{
	const struct http_head *head = http_client_head(x->client);
	const char *length = http_head_get(head, "Content-Length");

	*len = http_client_length(x->client);
	if (!strcmp(http_request_head(x->req)->method, "HEAD")) {
		*len = length ? strtoull(length, NULL, 10) : 0;
		return length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	}
	if (*len == UINT64_MAX)
		return HTTP_BODY_CHUNKED;
	return *len || length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
}

/* 100 Continue, Early Hints and their like: on to whoever may understand them. */
void upstream_on_interim(struct http_client *c, const struct http_head *from)
{
	struct exchange *x = http_client_data(c);
	struct http_head head;

	if (!x->req || http_response_started(x->req))
		return;
	if (from->status == 100) {
		http_request_continue(x->req);
		return;
	}
	if (!make_response_head(from, &head))
		http_response_interim(x->req, &head);
	http_head_fini(&head);
}

/* 101 that nobody asked for; 407, which would have a browser ask for a password for us. */
static bool is_misplaced(const struct exchange *x, const struct http_head *head)
{
	if (head->status == 101)
		return !x->is_upgrade || !judge_is_websocket(head);
	return head->status == 407;
}

/* The head, with its body to follow, or another answer in its place. */
static int pass_response(struct exchange *x)
{
	const struct http_head *answer = http_client_head(x->client);
	enum http_framing framing;
	struct http_head head;
	uint64_t len;
	int err;

	err = make_response_head(answer, &head);
	framing = response_framing(x, &len);
	/* The head goes out with what comes with it. */
	http_response_cork(x->req);
	if (!err)
		err = filter_begin(x, answer, &head, &framing);
	if (err == FILTER_PASS || err == FILTER_TAKES)
		err = http_response_start(x->req, &head, framing, len);
	http_head_fini(&head);
	return err;
}

void upstream_on_response(struct http_client *c)
{
	struct exchange *x = http_client_data(c);
	int err;

	if (!x->req)
		return;
	if (is_misplaced(x, http_client_head(c))) {
		exchange_fail(x, 502, "Bad Answer", "The website's answer cannot be understood.");
		return;
	}
	if (http_client_head(c)->status == 101) {
		if (http_request_is_http2(x->req))
			upstream_join_relay(x);
		else
			upstream_join_upgrade(x);
		return;
	}
	if (judge_is_dns_message(http_client_head(c))) {
		x->p->blocked++;
		access_refuse(&x->access, x->p, "encrypted dns");
		page_send_error(&x->p->pages, x->req, 451, "Site Blocked",
			"DNS over HTTPS is blocked.", x->url);
		return;
	}
	err = pass_response(x);
	if (err == FILTER_REPEAT) {
		x->drops_range = x->sends_again = true;
		http_client_close(c, 0);
	} else if (err == FILTER_REFUSE) {
		exchange_fail(x, 503, "Not Ready", "The website's answer cannot be filtered now.");
	} else if (err) {
		exchange_fail(x, 502, "Bad Answer", "The website's answer cannot be passed on.");
	}
}

void upstream_on_told(struct http_client *c)
{
	const struct exchange *x = http_client_data(c);

	if (x->req)
		http_response_flush(x->req);
}

void upstream_on_body(struct http_client *c, const void *data, size_t len)
{
	struct exchange *x = http_client_data(c);

	if (!x->req || !http_response_started(x->req))
		return;
	if (x->filter) {
		filter_write(x->filter, data, len);
		return;
	}
	if (http_response_write(x->req, data, len)) {
		http_response_abort(x->req);
		return;
	}
	if (http_response_is_full(x->req))
		http_client_pause(c);
}

/* Authentication that is the connection's, not the request's (RFC 4559 6, and NTLM). */
static bool has_bound_scheme(const struct http_head *head, const char *name)
{
	for (size_t i = 0; (i = http_head_find(head, name, i)) < head->n_headers; i++) {
		const char *value = head->headers[i].value;

		if (!strncasecmp(value, "NTLM", 4) || !strncasecmp(value, "Negotiate", 9))
			return true;
	}
	return false;
}

/* At rest: for the next request of this client if the connection knows it, else of anybody. */
static void keep_client(struct exchange *x)
{
	struct http_client *c = x->client;

	if (x->is_upgrade || x->p->stopping)
		return;
	x->client = NULL;
	x->is_bound = x->is_bound || has_bound_scheme(http_client_head(c), "WWW-Authenticate") ||
		      has_bound_scheme(http_request_head(x->req), "Authorization");
	if (x->is_bound)
		session_put_idle(x->s, &x->target, c);
	else
		pool_put(x->p->pool, &x->target, &x->s->device, c);
}

void upstream_on_end(struct http_client *c)
{
	struct exchange *x = http_client_data(c);
	struct http_request *req = x->req;

	if (!req || !http_response_started(req))
		return;
	if (x->request_ended && http_client_is_idle(c))
		keep_client(x);
	if (x->filter) {
		filter_end(x->filter);
		return;
	}
	/* Ends the exchange, too. An error closes the client's connection, which does so as well.
	 */
	http_response_end(req, http_client_trailers(c));
}
