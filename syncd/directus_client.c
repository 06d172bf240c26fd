/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "syncd/directus_client.h"
#include "common/http.h"
#include "common/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX     (64u << 20)
#define TOTAL_MS     60000
#define HEADER_MS    30000
#define EXPIRY_MS    10000 /* a login is refreshed so long before it expires */
#define LOGIN_PATH   "/auth/login"
#define REFRESH_PATH "/auth/refresh"

enum call_state { CALL_WAITS, CALL_RUNS, CALL_ENDS };

struct call {
	struct list node; /* in the client's calls */
	struct directus_client *client;
	enum call_state state;
	bool is_login, again; /* again: a login was refused to it once */
	unsigned login;	      /* the client's, when it was sent */
	char *method, *target, *body;
	struct addr addrs[RESOLVER_MAX_ADDRS];
	size_t addr_count, addr_next;
	struct resolver_query *query;
	struct http_fetch *fetch;
	struct timer soon; /* answers from the loop, never from within a call */
	struct directus_answer answer;
	directus_on_answer on_answer;
	void *arg;
};

static void start_login(struct directus_client *c);

/* ---- life of a call ---- */

static void free_secret(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

static void on_call_closed(struct timer *t)
{
	struct call *call = t->data;

	directus_answer_fini(&call->answer);
	free(call->method);
	free(call->target);
	free_secret(call->body);
	free(call);
}

static void end_call(struct call *call)
{
	list_remove(&call->node);
	if (call->fetch)
		http_fetch_cancel(call->fetch);
	if (call->query)
		resolver_cancel(call->query);
	call->fetch = NULL;
	call->query = NULL;
	timer_close(&call->soon, on_call_closed);
}

static void finish(struct call *call)
{
	call->state = CALL_ENDS;
	timer_start(&call->soon, 0, 0);
}

static void fail(struct call *call, const char *what, const char *why)
{
	call->answer = (struct directus_answer){ .outcome = DIRECTUS_FAILED };
	snprintf(call->answer.text, sizeof(call->answer.text), "%.40s%.150s", what, why);
	finish(call);
}

/* ---- one exchange ---- */

static void connect_next(struct call *call);
static void run(struct call *call);

static void retry_with_login(struct call *call)
{
	struct directus_client *c = call->client;

	call->again = true;
	call->state = CALL_WAITS;
	call->answer = (struct directus_answer){ 0 };
	/* Another one may have brought a new one meanwhile. */
	if (call->login == c->login) {
		free_secret(c->access);
		c->access = NULL;
	}
	run(call);
}

static void on_result(struct http_result *r, void *data)
{
	struct call *call = data;

	call->fetch = NULL;
	if (r->err && !r->head && r->err != -EMSGSIZE && call->addr_next < call->addr_count) {
		connect_next(call);
		return;
	}
	if (r->err) {
		bool is_tls = r->verify != TLS_VERIFY_OK;

		fail(call, is_tls ? "tls: " : "",
			is_tls	    ? tls_verify_text(r->verify)
			: *r->error ? r->error
				    : strerror(-r->err));
		call->answer.too_large = r->err == -EMSGSIZE;
		return;
	}
	directus_answer_parse(r->head->status, http_head_get(r->head, "retry-after"), r->body,
		r->len, &call->answer);
	if (call->is_login && r->body)
		explicit_bzero(r->body, r->len);
	if (call->answer.outcome == DIRECTUS_UNAUTHORIZED && !call->is_login && !call->again &&
		!call->client->token)
		retry_with_login(call);
	else
		finish(call);
}

const char *directus_client_token(const struct directus_client *c)
{
	const char *token = c->token ? c->token : c->access;

	return token ? token : "";
}

static int make_head(const struct call *call, struct http_head *h)
{
	const struct directus_client *c = call->client;
	char line[4096 + 16];
	int err;

	http_head_init(h);
	err = http_head_set_request(h, call->method, call->target);
	if (!err)
		err = http_head_add(h, "Host", c->at.authority);
	if (!err)
		err = http_head_add(h, "User-Agent", "Culvert/" CULVERT_VERSION);
	if (!err)
		err = http_head_add(h, "Accept", "application/json");
	if (!err)
		err = http_head_add(h, "Cache-Control", "no-store");
	if (!err && call->body)
		err = http_head_add(h, "Content-Type", "application/json");
	if (!err && !call->is_login) {
		snprintf(line, sizeof(line), "Bearer %s", directus_client_token(c));
		err = http_head_add(h, "Authorization", line);
		explicit_bzero(line, sizeof(line));
	}
	return err;
}

static void connect_next(struct call *call)
{
	struct directus_client *c = call->client;
	struct sockaddr_storage to;
	struct http_head head;
	struct http_limits limits = http_default_limits;
	struct http_fetch_options opt = { .to = (struct sockaddr *)&to,
		.tls = c->is_tls ? c->tls : NULL,
		.name = c->at.host,
		.head = &head,
		.body = call->body,
		.len = call->body ? strlen(call->body) : 0,
		.max_body = BODY_MAX,
		.total_ms = TOTAL_MS,
		.limits = &limits };
	int err;

	limits.header_ms = HEADER_MS;
	call->login = c->login;
	addr_to_sockaddr(&call->addrs[call->addr_next++], (uint16_t)c->at.port, &to);
	err = make_head(call, &head);
	if (!err)
		err = http_fetch(c->loop, &opt, on_result, call, &call->fetch);
	http_head_fini(&head);
	if (err)
		fail(call, "cannot ask: ", strerror(-err));
}

static void on_addresses(void *arg, int status, const struct addr *addrs, size_t n)
{
	struct call *call = arg;

	call->query = NULL;
	if (status) {
		fail(call, status == -ENOENT ? "no address for " : "cannot resolve ",
			call->client->at.host);
		return;
	}
	memcpy(call->addrs, addrs, n * sizeof(*addrs));
	call->addr_count = n;
	call->addr_next = 0;
	connect_next(call);
}

static bool needs_login(const struct directus_client *c)
{
	return !c->token && (!c->access || clock_mono_ms() + EXPIRY_MS >= c->expires_at);
}

static void run(struct call *call)
{
	struct directus_client *c = call->client;

	if (!call->is_login && needs_login(c)) {
		start_login(c);
		return;
	}
	call->state = CALL_RUNS;
	call->query = resolver_start(c->resolver, c->at.host, on_addresses, call);
	if (!call->query)
		fail(call, "out of memory", "");
}

static void on_soon(struct timer *t)
{
	struct call *call = t->data;

	call->on_answer(call->arg, &call->answer);
	end_call(call);
}

static struct call *add_call(struct directus_client *c, const char *method, const char *target,
	const char *body, directus_on_answer on_answer, void *arg)
{
	struct call *call = calloc(1, sizeof(*call));
	size_t len = strlen(c->at.target) + strlen(target) + 1;

	if (!call)
		return NULL;
	call->client = c;
	call->method = strdup(method);
	call->target = malloc(len);
	call->body = body ? strdup(body) : NULL;
	if (!call->method || !call->target || (body && !call->body)) {
		free(call->method);
		free(call->target);
		free(call->body);
		free(call);
		return NULL;
	}
	snprintf(call->target, len, "%s%s", c->at.target, target);
	call->on_answer = on_answer;
	call->arg = arg;
	timer_init(c->loop, &call->soon, on_soon, call);
	list_add(&c->calls, &call->node);
	return call;
}

int directus_ask(struct directus_client *c, const char *method, const char *target,
	const char *body, directus_on_answer on_answer, void *arg)
{
	struct call *call = add_call(c, method, target, body, on_answer, arg);

	if (!call)
		return -ENOMEM;
	run(call);
	return 0;
}

/* ---- login ---- */

static void set_secret(char **to, const cJSON *value)
{
	const char *text = cJSON_GetStringValue(value);

	free_secret(*to);
	*to = text && *text && strlen(text) <= 4096 ? strdup(text) : NULL;
}

/* What waited for the login goes on, or fails as it did. */
static void settle(struct directus_client *c, const struct directus_answer *a)
{
	list_foreach_safe (&c->calls, it) {
		struct call *call = container_of(it, struct call, node);

		if (call->state != CALL_WAITS)
			continue;
		if (c->access) {
			run(call);
			continue;
		}
		call->answer = *a;
		call->answer.json = NULL;
		if (a->outcome == DIRECTUS_OK)
			fail(call, "login: ", "the answer has no token");
		else
			finish(call);
	}
}

static void on_login(void *arg, struct directus_answer *a)
{
	struct directus_client *c = arg;
	const cJSON *data = directus_answer_data(a);
	int64_t expires_ms = 0;
	bool refreshed = c->refresh != NULL;

	c->logging_in = false;
	c->login++;
	set_secret(&c->access, json_get(data, "access_token"));
	set_secret(&c->refresh, json_get(data, "refresh_token"));
	json_get_int(json_get(data, "expires"), &expires_ms);
	/* One that holds shorter than our margin is used all the same, once per login. */
	c->expires_at = clock_mono_ms() +
			(uint64_t)(expires_ms > 2 * EXPIRY_MS ? expires_ms : 2 * EXPIRY_MS);
	if (!c->access && refreshed && a->outcome == DIRECTUS_UNAUTHORIZED) {
		start_login(c);
		return;
	}
	settle(c, a);
}

static char *login_body(const struct directus_client *c)
{
	cJSON *json = cJSON_CreateObject();
	char *text;

	if (c->refresh) {
		cJSON_AddStringToObject(json, "refresh_token", c->refresh);
		cJSON_AddStringToObject(json, "mode", "json");
	} else {
		cJSON_AddStringToObject(json, "email", c->email);
		cJSON_AddStringToObject(json, "password", c->password);
	}
	text = json_format(json);
	cJSON_Delete(json);
	return text;
}

static void start_login(struct directus_client *c)
{
	char *body;
	struct call *call = NULL;
	struct directus_answer none = { .outcome = DIRECTUS_FAILED, .text = "out of memory" };

	if (c->logging_in)
		return;
	body = login_body(c);
	if (body)
		call = add_call(
			c, "POST", c->refresh ? REFRESH_PATH : LOGIN_PATH, body, on_login, c);
	free_secret(body);
	if (!call) {
		settle(c, &none);
		return;
	}
	c->logging_in = true;
	call->is_login = true;
	run(call);
}

/* ---- life ---- */

static int copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

int directus_client_set_access(struct directus_client *c, const struct directus_access *access)
{
	char *token, *email, *password;
	int err = copy(&token, access->token);

	if (copy(&email, access->email))
		err = -ENOMEM;
	if (copy(&password, access->password))
		err = -ENOMEM;
	if (err) {
		free_secret(token);
		free_secret(email);
		free_secret(password);
		return err;
	}
	directus_client_fini(c);
	c->token = token;
	c->email = email;
	c->password = password;
	c->access = c->refresh = NULL;
	c->login++;
	return 0;
}

int directus_client_open(struct directus_client *c, const struct directus_access *access,
	uv_loop_t *loop, struct resolver *resolver, struct tls_ctx *tls)
{
	size_t len;
	int err;

	*c = (struct directus_client){ .loop = loop, .resolver = resolver, .tls = tls };
	list_init(&c->calls);
	err = list_url_parse_any(access->url, &c->at, &c->is_tls);
	if (err)
		return err;
	for (len = strlen(c->at.target); len && c->at.target[len - 1] == '/'; len--)
		c->at.target[len - 1] = 0;
	err = copy(&c->token, access->token);
	if (!err)
		err = copy(&c->email, access->email);
	if (!err)
		err = copy(&c->password, access->password);
	return err;
}

void directus_client_close(struct directus_client *c)
{
	c->closing = true;
	list_foreach_safe (&c->calls, it)
		end_call(container_of(it, struct call, node));
}

void directus_client_fini(struct directus_client *c)
{
	free_secret(c->token);
	free_secret(c->email);
	free_secret(c->password);
	free_secret(c->access);
	free_secret(c->refresh);
}
