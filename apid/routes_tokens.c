/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/deed.h"
#include "apid/identify.h"
#include "apid/page.h"
#include "apid/routes.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tokens and sessions: one's own; an owner sees and ends everybody's. */

static bool is_scope(const char *text)
{
	unsigned bits = 0;

	return !scope_parse(text, &bits);
}

static const struct body_field token_fields[] = {
	{ .name = "id", .type = BODY_TEXT, .is_read_only = true, .max = 32 },
	{ .name = "name", .type = BODY_TEXT, .is_required = true, .min = 1, .max = 64 },
	{ .name = "admin", .type = BODY_TEXT, .is_read_only = true, .max = 64 },
	{ .name = "role",
		.type = BODY_ENUM,
		.is_required = true,
		.values = role_texts,
		.help = "at most the role of the account; never more than it has later" },
	{ .name = "scopes",
		.type = BODY_TEXTS,
		.is_required = true,
		.min = 1,
		.max = 16,
		.is_good = is_scope,
		.form = "is no scope",
		.pattern = "^(devices|policy|appeals|accounts|system|metrics)(:read)?$",
		.help = "what it is for; with :read only to read" },
	{ .name = "groups",
		.type = BODY_TEXTS,
		.is_nullable = true,
		.max = 256,
		.help = "the groups that it is limited to, besides the account's own limit" },
	{ .name = "expires_at", .type = BODY_INT, .is_nullable = true, .max = 9007199254740991 },
	{ .name = "created_at", .type = BODY_INT, .is_read_only = true },
	{ .name = "used_at", .type = BODY_INT, .is_read_only = true, .is_nullable = true },
	{ .name = "token",
		.type = BODY_TEXT,
		.is_read_only = true,
		.max = 64,
		.help = "told once; only its hash is kept" },
	{ 0 },
};
static const struct body_schema token_schema = { .name = "Token",
	.fields = token_fields,
	.example = "{\"id\":\"03a45e40ba0d1ecf\",\"name\":\"backup\",\"admin\":\"anna\",\"role"
		   "\":\"viewer\",\"scopes\":[\"devices:read\"],\"groups\":null,\"created_at\""
		   ":1795999999000,\"expires_at\":1796000000000,\"used_at\":null}" };

/* ---- making a token ---- */

/* Every apid keeps all of them in memory. */
enum { TOKENS_MAX = 100 };

static void add_token(struct deed *d, struct db_batch *b)
{
	const cJSON *body = d->c->body, *groups = json_get(body, "groups");
	char *scopes = json_format(json_get(body, "scopes")), *audit = json_format(body);
	int64_t expires = 0;

	json_get_int(json_get(body, "expires_at"), &expires);
	d->text = cJSON_IsArray(groups) ? json_format(groups) : NULL;
	db_add(b,
		"INSERT INTO tokens (id, hash, name, admin, role, scopes, allowed_groups, "
		"created_at, "
		"expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, 0))",
		"sssssssii", d->name, d->hash, json_get(body, "name")->valuestring,
		d->c->actor.name, json_get(body, "role")->valuestring, scopes, d->text,
		clock_wall_ms(), expires);
	write_audit(b, &d->by, "token_add", d->name, NULL, audit);
	free(scopes);
	free(audit);
}

static int token_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;

	if (number == 0) {
		d->row = db_add(
			b, "SELECT COUNT(*) FROM tokens WHERE admin = ?", "s", d->c->actor.name);
		return 1;
	}
	if (atoll(db_cell(db_batch_rows(b, d->row), 0, 0)) >= TOKENS_MAX)
		return -EEXIST;
	add_token(d, b);
	return 0;
}

static void answer_token(struct deed *d)
{
	cJSON *json = cJSON_Duplicate(d->c->body, true);

	cJSON_AddStringToObject(json, "id", d->name);
	cJSON_AddStringToObject(json, "admin", d->c->actor.name);
	cJSON_AddStringToObject(json, "token", d->secret);
	call_json(d->c, 201, json);
}

static void handle_make_token(struct call *c)
{
	enum role role = ROLE_OWNER;
	char id[2 * DIGEST_LEN + 1];
	struct deed *d;

	role_parse(json_get(c->body, "role")->valuestring, &role);
	if (role > c->actor.role) {
		call_problem(c, 403, "a token cannot have a higher role than its account");
		return;
	}
	d = deed_new(c, token_step, answer_token);
	if (!d)
		return;
	d->conflict = "the account has 100 tokens: end one first";
	if (token_make(TOKEN_PREFIX, d->secret, d->hash) ||
		accounts_hash(d->hash, strlen(d->hash), id)) {
		call_problem(c, 503, NULL);
		return;
	}
	snprintf(d->name, sizeof(d->name), "%.16s", id);
	deed_start(d);
}

/* ---- lists ---- */

struct listing {
	struct call *c;
	size_t rows; /* statement */
};

static cJSON *number_or_null(const char *text)
{
	return text ? cJSON_CreateNumber((double)atoll(text)) : cJSON_CreateNull();
}

static cJSON *json_or_null(const char *text)
{
	cJSON *json = text ? json_parse(text, strlen(text)) : NULL;

	return json ? json : cJSON_CreateNull();
}

static cJSON *token_item(const struct db_rows *r, size_t i)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, "id", db_cell(r, i, 0));
	cJSON_AddStringToObject(item, "name", db_cell(r, i, 1));
	cJSON_AddStringToObject(item, "admin", db_cell(r, i, 2));
	cJSON_AddStringToObject(item, "role", db_cell(r, i, 3));
	cJSON_AddItemToObject(item, "scopes", json_or_null(db_cell(r, i, 4)));
	cJSON_AddItemToObject(item, "groups", json_or_null(db_cell(r, i, 5)));
	cJSON_AddItemToObject(item, "created_at", number_or_null(db_cell(r, i, 6)));
	cJSON_AddItemToObject(item, "expires_at", number_or_null(db_cell(r, i, 7)));
	cJSON_AddItemToObject(item, "used_at", number_or_null(db_cell(r, i, 8)));
	return item;
}

static cJSON *session_item(const struct db_rows *r, size_t i)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, "id", db_cell(r, i, 0));
	cJSON_AddStringToObject(item, "admin", db_cell(r, i, 1));
	cJSON_AddItemToObject(item, "created_at", number_or_null(db_cell(r, i, 2)));
	cJSON_AddItemToObject(item, "seen_at", number_or_null(db_cell(r, i, 3)));
	cJSON_AddStringToObject(item, "address", db_cell(r, i, 4));
	cJSON_AddStringToObject(item, "agent", db_cell(r, i, 5));
	return item;
}

static void on_list(void *arg, struct db_batch *b, int status,
	cJSON *(*make)(const struct db_rows *r, size_t i))
{
	struct listing *l = arg;
	struct call *c = l->c;
	const struct db_rows *rows = status ? NULL : db_batch_rows(b, l->rows);
	cJSON *items = cJSON_CreateArray();

	for (size_t i = 0; rows && i < rows->n; i++)
		cJSON_AddItemToArray(items, make(rows, i));
	if (status) {
		cJSON_Delete(items);
		call_failed(c, status, NULL);
	} else {
		page_answer_items(c, items, NULL);
	}
	exchange_end_work(&c->x);
}

/* The one that was asked for. */
static void on_one(void *arg, struct db_batch *b, int status,
	cJSON *(*make)(const struct db_rows *r, size_t i))
{
	struct listing *l = arg;
	const struct db_rows *rows = status ? NULL : db_batch_rows(b, l->rows);
	struct call *c = l->c;

	if (status || !rows->n)
		call_failed(c, status ? status : -ENOENT, NULL);
	else
		call_json_tagged(c, 200, make(rows, 0));
	exchange_end_work(&c->x);
}

static void on_token(void *arg, struct db_batch *b, int status)
{
	on_one(arg, b, status, token_item);
}

static void on_session(void *arg, struct db_batch *b, int status)
{
	on_one(arg, b, status, session_item);
}

static void on_tokens(void *arg, struct db_batch *b, int status)
{
	on_list(arg, b, status, token_item);
}

static void on_sessions(void *arg, struct db_batch *b, int status)
{
	on_list(arg, b, status, session_item);
}

#define TOKENS                                                                                     \
	"SELECT id, name, admin, role, scopes, allowed_groups, created_at, expires_at, used_at "   \
	"FROM tokens WHERE "
#define SESSIONS "SELECT hash, admin, created_at, seen_at, address, agent FROM sessions WHERE "
/* One's own, an owner everybody's. */
#define MAY_SEE "(admin = ? OR ?)"

static size_t add_one(struct db_batch *b, const struct call *c, const char *sql)
{
	return db_add(
		b, sql, "ssi", c->args[0], c->actor.name, (int64_t)(c->actor.role == ROLE_OWNER));
}

static void start_list(struct call *c, const char *sql, db_on_done on_done)
{
	struct db_batch *b = db_batch_new();
	struct listing *l = b ? calloc(1, sizeof(*l)) : NULL;

	if (!l) {
		if (b)
			db_batch_drop(b);
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	c->data = l;
	c->free_data = free;
	l->c = c;
	if (c->args[0])
		l->rows = add_one(b, c, sql);
	else
		l->rows =
			db_add(b, sql, "si", c->actor.name, (int64_t)(c->actor.role == ROLE_OWNER));
	exchange_begin_work(&c->x);
	store_read(c->api->store, b, on_done, l);
}

static void handle_tokens(struct call *c)
{
	start_list(c, TOKENS MAY_SEE " ORDER BY id LIMIT 1000", on_tokens);
}

static void handle_token(struct call *c)
{
	start_list(c, TOKENS "id = ? AND " MAY_SEE, on_token);
}

static void handle_sessions(struct call *c)
{
	start_list(c, SESSIONS MAY_SEE " ORDER BY created_at DESC LIMIT 1000", on_sessions);
}

static void handle_session(struct call *c)
{
	start_list(c, SESSIONS "hash = ? AND " MAY_SEE, on_session);
}

/* ---- ending ---- */

/* What is to end, as it is. 0, -ENOENT, -ESTALE. */
static int check_end(
	struct deed *d, const struct db_batch *b, cJSON *(*make)(const struct db_rows *r, size_t i))
{
	const struct db_rows *rows = db_batch_rows(b, d->row);

	return rows->n ? deed_check(d, make(rows, 0)) : -ENOENT;
}

static int end_token_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;
	int r;

	if (number == 0) {
		d->row = add_one(b, d->c, TOKENS "id = ? AND " MAY_SEE);
		return 1;
	}
	r = check_end(d, b, token_item);
	if (r)
		return r;
	db_add(b, "DELETE FROM tokens WHERE id = ?", "s", d->c->args[0]);
	write_audit(b, &d->by, "token_remove", d->c->args[0], NULL, NULL);
	return 0;
}

static int end_session_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;
	int r;

	if (number == 0) {
		d->row = add_one(b, d->c, SESSIONS "hash = ? AND " MAY_SEE);
		return 1;
	}
	r = check_end(d, b, session_item);
	if (r)
		return r;
	db_add(b, "DELETE FROM sessions WHERE hash = ?", "s", d->c->args[0]);
	write_audit(b, &d->by, "session_end", db_cell(db_batch_rows(b, d->row), 0, 1), NULL, NULL);
	return 0;
}

static void start_end(struct call *c, store_step step)
{
	struct deed *d = deed_new(c, step, NULL);

	if (d && deed_take_precondition(d))
		deed_start(d);
}

static void handle_end_token(struct call *c)
{
	start_end(c, end_token_step);
}

static void handle_end_session(struct call *c)
{
	start_end(c, end_session_step);
}

static const struct body_field session_fields[] = {
	{ .name = "id", .type = BODY_TEXT, .is_read_only = true, .max = 64 },
	{ .name = "admin", .type = BODY_TEXT, .is_read_only = true, .max = 64 },
	{ .name = "created_at", .type = BODY_INT, .is_read_only = true },
	{ .name = "seen_at", .type = BODY_INT, .is_read_only = true },
	{ .name = "address", .type = BODY_TEXT, .is_read_only = true, .max = 45 },
	{ .name = "agent", .type = BODY_TEXT, .is_read_only = true, .max = 256 },
	{ 0 },
};
static const struct body_schema session_schema = { .name = "Session",
	.fields = session_fields,
	.example = "{\"id\":\"f6440da2426013f4652838296ac3dfb79af47da8354e7ae02b749146cc406065"
		   "\",\"admin\":\"anna\",\"created_at\":1795999999000,\"seen_at\":17960000000"
		   "00,\"address\":\"192.0.2.7\",\"agent\":\"Mozilla/5.0\"}" };

#define ROUTE(m, p)                                                                                \
	.method = m, .path = p, .front = FRONT_ADMIN, .auth = AUTH_SESSION, .roles = BY_ALL,       \
	.tag = "accounts"

static const struct route routes[] = {
	{ ROUTE("GET", "/api/v1/tokens"), .response = &token_schema, .is_page = true, .status = 200,
		.summary = "The tokens", .handle = handle_tokens },
	{ ROUTE("POST", "/api/v1/tokens"), .request = &token_schema, .response = &token_schema,
		.status = 201, .summary = "Make a token", .handle = handle_make_token },
	{ ROUTE("GET", "/api/v1/tokens/{id}"), .response = &token_schema, .status = 200,
		.summary = "One token", .handle = handle_token },
	{ ROUTE("DELETE", "/api/v1/tokens/{id}"), .status = 204, .summary = "End a token",
		.handle = handle_end_token },
	{ ROUTE("GET", "/api/v1/sessions"), .response = &session_schema, .is_page = true,
		.status = 200, .summary = "The sessions", .handle = handle_sessions },
	{ ROUTE("GET", "/api/v1/sessions/{id}"), .response = &session_schema, .status = 200,
		.summary = "One session", .handle = handle_session },
	{ ROUTE("DELETE", "/api/v1/sessions/{id}"), .status = 204, .summary = "End a session",
		.handle = handle_end_session },
};

struct route_set routes_tokens(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
