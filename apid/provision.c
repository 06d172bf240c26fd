/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/provision.h"
#include "apid/provision_work.h"
#include "common/http.h"
#include "common/list.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { BODY_MAX = 16384, CONNECTIONS_MAX = 256 };

struct provision {
	struct provision_options options;
	uv_loop_t *loop;
	struct listener *listener;
	struct list connections;
	size_t connection_count;
};

struct connection {
	struct list node;
	struct provision *p;
	struct http_conn *http;
};

/* A POST that may change something. Freed when neither the client nor the work needs it. */
struct call {
	struct provision *p;
	struct http_request *req; /* NULL: the client is gone or has its answer */
	bool is_working;
	struct buf body;
	struct provision_request request;
};

/* ---- answers ---- */

static void respond(struct http_request *req, int status, const cJSON *body, const char *allow)
{
	char *text = json_format(body);
	struct http_head extra;

	http_head_init(&extra);
	http_head_add(&extra, "Cache-Control", "no-store");
	if (allow)
		http_head_add(&extra, "Allow", allow);
	if (!text || http_respond_with(req, status, &extra, "application/json", text, strlen(text)))
		http_conn_close(http_request_conn(req), -ENOMEM);
	free(text);
	http_head_fini(&extra);
}

static void respond_status(struct http_request *req, int status, const char *what)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "status", what);
	respond(req, status, body, NULL);
	cJSON_Delete(body);
}

static void respond_failure(struct http_request *req, int status, const char *error)
{
	cJSON *body = cJSON_CreateObject();

	cJSON_AddStringToObject(body, "status", "failure");
	cJSON_AddStringToObject(body, "error", error);
	respond(req, status, body, status == 405 ? "GET, HEAD, POST" : NULL);
	cJSON_Delete(body);
}

static void call_release(struct call *c)
{
	if (c->req || c->is_working)
		return;
	buf_fini(&c->body);
	free(c);
}

/* The work is done; frees the call if the client is gone. */
static void call_fail(struct call *c, int status, const char *error)
{
	c->is_working = false;
	if (c->req)
		respond_failure(c->req, status, error);
	else
		call_release(c);
}

static void call_succeed(struct call *c, enum entitlement entitlement)
{
	bool is_upsert = c->request.task == PROVISION_UPSERT;
	cJSON *body;

	c->is_working = false;
	if (!c->req) {
		call_release(c);
		return;
	}
	body = cJSON_CreateObject();
	cJSON_AddStringToObject(body, "status", "success");
	if (is_upsert && entitlement != ENTITLED) {
		cJSON_AddBoolToObject(body, "entitled", false);
		cJSON_AddStringToObject(body, "reason", entitlement_text(entitlement));
	}
	respond(c->req, 200, body, NULL);
	cJSON_Delete(body);
}

/* ---- the work ---- */

static void on_done(void *arg, const struct provision_outcome *outcome)
{
	struct call *c = arg;

	switch (outcome->status) {
	case PROVISION_DONE:
		call_succeed(c, outcome->entitlement);
		break;
	case PROVISION_REFUSED:
		call_fail(c, 400, outcome->why);
		break;
	case PROVISION_LATER:
		call_fail(c, 503, outcome->why);
	}
}

static void start_work(struct call *c)
{
	c->is_working = true;
	provision_work(c->p->options.store, c->p->options.publisher, &c->request, on_done, c);
}

/* ---- requests ---- */

/* The path of a target in origin or absolute form, without its query. */
static bool is_root(const char *target)
{
	if (!strncasecmp(target, "http://", 7)) {
		target += 7 + strcspn(target + 7, "/?");
		if (!*target || *target == '?')
			return true;
	}
	return target[0] == '/' && (!target[1] || target[1] == '?');
}

static bool is_json(const struct http_head *head)
{
	static const char json[] = "application/json";
	const char *type = http_head_get(head, "content-type");
	size_t len = sizeof(json) - 1;

	return type && !strncasecmp(type, json, len) &&
	       (!type[len] || type[len] == ';' || type[len] == ' ' || type[len] == '\t');
}

/* 0, or the status that refuses. */
static int check_key(const struct provision *p, const struct http_head *head)
{
	const struct api_keys *keys = store_api_keys(p->options.store);
	const char *text = http_head_get(head, "x-api-key");
	size_t first = http_head_find(head, "x-api-key", 0);

	if (!text || http_head_find(head, "x-api-key", first + 1) < head->n_headers)
		return 401;
	if (!keys)
		return 503;
	return api_keys_find(keys, text) ? 0 : 401;
}

static void start_post(struct provision *p, struct http_request *req)
{
	const struct http_head *head = http_request_head(req);
	uint64_t len = http_request_length(req);
	int refused = check_key(p, head);
	struct call *c;

	if (refused == 401) {
		respond_failure(req, 401, "x-api-key is missing or wrong");
	} else if (refused) {
		respond_failure(req, refused, "the database does not answer");
	} else if (len != UINT64_MAX && len > BODY_MAX) {
		respond_failure(req, 413, "the body is larger than 16 KiB");
	} else if (!is_json(head)) {
		respond_failure(req, 400, "Content-Type is not application/json");
	} else if (!(c = calloc(1, sizeof(*c)))) {
		respond_failure(req, 503, "no memory");
	} else {
		c->p = p;
		c->req = req;
		buf_init(&c->body, BODY_MAX + 1);
		http_request_set_data(req, c);
	}
}

static void on_request(struct http_request *req)
{
	const struct http_head *head = http_request_head(req);
	struct connection *conn = http_conn_data(http_request_conn(req));

	if (!is_root(head->target))
		respond_failure(req, 404, "there is only /");
	else if (!strcmp(head->method, "GET") || !strcmp(head->method, "HEAD"))
		respond_status(req, 200, "ok");
	else if (!strcmp(head->method, "POST"))
		start_post(conn->p, req);
	else
		respond_failure(req, 405, "the method is neither GET nor POST");
}

static void on_body(struct http_request *req, const void *data, size_t len)
{
	struct call *c = http_request_data(req);

	if (!c)
		return;
	if (c->body.len + len > BODY_MAX)
		respond_failure(req, 413, "the body is larger than 16 KiB");
	else if (buf_append(&c->body, data, len))
		respond_failure(req, 503, "no memory");
}

static void on_body_end(struct http_request *req)
{
	struct call *c = http_request_data(req);
	const struct provision_options *o;
	char why[128];

	if (!c)
		return;
	o = &c->p->options;
	if (provision_request_parse(c->body.data ? (const char *)c->body.data : "", c->body.len,
		    o->tunnels, o->tunnel_count, &c->request, why))
		respond_failure(req, 400, why);
	else
		start_work(c);
}

static void on_end(struct http_request *req, int why)
{
	struct call *c = http_request_data(req);

	(void)why;
	if (!c)
		return;
	c->req = NULL;
	call_release(c);
}

/* ---- connections ---- */

static void on_close(struct http_conn *http, int why)
{
	struct connection *conn = http_conn_data(http);

	(void)why;
	list_remove(&conn->node);
	conn->p->connection_count--;
	free(conn);
}

static const struct http_server_ops server_ops = {
	.on_request = on_request,
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_end = on_end,
	.on_close = on_close,
};

static void on_accept(struct listener *l, int fd, const struct sockaddr *peer, void *data)
{
	static const struct stream_ops no_ops;
	struct provision *p = data;
	struct connection *conn =
		p->connection_count < CONNECTIONS_MAX ? calloc(1, sizeof(*conn)) : NULL;
	struct stream *s;

	(void)l;
	(void)peer;
	if (!conn) {
		close(fd);
		return;
	}
	if (stream_accept(p->loop, fd, NULL, NULL, &no_ops, NULL, &s)) {
		free(conn);
		return;
	}
	conn->p = p;
	conn->http = http_conn_new(s, &server_ops, NULL, conn);
	if (!conn->http) {
		free(conn);
		return;
	}
	list_add(&p->connections, &conn->node);
	p->connection_count++;
}

int provision_open(uv_loop_t *loop, const struct provision_options *options, struct provision **out)
{
	static const struct listener_options listen = { .reuse_port = true };
	struct provision *p = calloc(1, sizeof(*p));
	struct sockaddr_storage at;
	char text[ENDPOINT_STRLEN];
	int r;

	if (!p)
		return -ENOMEM;
	p->options = *options;
	p->loop = loop;
	list_init(&p->connections);
	addr_to_sockaddr(&options->at.addr, options->at.port, &at);
	endpoint_format(&options->at, text);
	r = listener_open(loop, (struct sockaddr *)&at, &listen, on_accept, p, &p->listener);
	if (r) {
		log_error("cannot listen at=%s error=%s", text, strerror(-r));
		free(p);
		return r;
	}
	log_notice("provisioning listens at=%s", text);
	*out = p;
	return 0;
}

void provision_close(struct provision *p)
{
	listener_close(p->listener);
	p->listener = NULL;
	list_foreach_safe (&p->connections, it)
		http_conn_close(container_of(it, struct connection, node)->http, -ECANCELED);
}

void provision_free(struct provision *p)
{
	free(p);
}
