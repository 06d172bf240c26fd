/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/judge.h"
#include "proxyd/tunnel.h"
#include "proxyd/upstream_impl.h"
#include <errno.h>
#include <stdlib.h>

/* What it was judged by; the path is NULL for CONNECT. */
static struct tunnel_terms terms_of(
	const struct exchange *x, const struct target *t, const char *path)
{
	const struct session *s = x->s;

	return (struct tunnel_terms){
		.device = s->device,
		.path = session_is_intercepted(s) ? POLICY_PATH_INTERCEPT : POLICY_PATH_PROXY,
		.host = t->host,
		.port = t->port,
		.is_https = t->is_https,
		.access = x->access,
		.rest = path,
		.leads_to = x->leads_to,
	};
}

/* 101: both connections become one tunnel. The path is the caller's, since the exchange ends. */
static void join_upgrade_of(struct exchange *x, const char *path)
{
	struct proxy *p = x->p;
	struct session *s = x->s;
	struct target target = x->target;
	struct tunnel_terms terms = terms_of(x, &target, path);
	struct stream *client, *server;
	struct target page;
	struct http_head head;
	int err;

	if (judge_find_page(http_request_head(x->req), &page))
		terms.page = page.host;
	http_head_init(&head);
	err = http_head_copy(&head, http_client_head(x->client));
	http_head_remove(&head, "Alt-Svc");
	server = err ? NULL : http_client_handover(x->client);
	if (server)
		x->client = NULL;
	x->access = (struct access){ 0 };
	client = server ? http_request_handover(x->req, &head) : NULL;
	http_head_fini(&head);
	if (!client) {
		x->access = terms.access;
		if (server)
			stream_close(server, -EPROTO);
		http_conn_close(s->conn, -EPROTO);
		return;
	}
	/* The request's on_end has freed the exchange; the session's connection is gone too. */
	tunnel_start(p, client, server, NULL, &terms, session_forget(s));
}

void upstream_join_upgrade(struct exchange *x)
{
	char *path = x->path;

	x->path = NULL;
	join_upgrade_of(x, path);
	free(path);
}

void upstream_join_connect(struct exchange *x, struct stream *server)
{
	struct proxy *p = x->p;
	struct session *s = x->s;
	struct target target = x->target;
	struct tunnel_terms terms = terms_of(x, &target, NULL);
	struct http_head ok;
	struct stream *client = NULL;

	x->access = (struct access){ 0 };
	http_head_init(&ok);
	if (!http_head_set_status(&ok, 200))
		client = http_request_handover(x->req, &ok);
	http_head_fini(&ok);
	if (!client) {
		x->access = terms.access;
		stream_close(server, -EPROTO);
		http_conn_close(s->conn, -EPROTO);
		return;
	}
	tunnel_start(p, client, server, target.host, &terms, session_forget(s));
}
