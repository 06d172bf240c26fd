/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/identify.h"
#include "apid/login.h"
#include "apid/routes.h"
#include "apid/setup_page.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The setup link's token becomes the first owner: /setup/TOKEN, as the link is written, for
 * browsers and programs, and POST /auth/setup for programs.
 */

bool admin_name_is_good(const char *text)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@+-";

	return text[0] && !text[strspn(text, good)] && strlen(text) <= ADMIN_NAME_MAX;
}

#define ACCOUNT_FIELDS                                                                             \
	{ .name = "user",                                                                          \
		.type = BODY_TEXT,                                                                 \
		.is_required = true,                                                               \
		.min = 1,                                                                          \
		.max = ADMIN_NAME_MAX,                                                             \
		.is_good = admin_name_is_good,                                                     \
		.form = ADMIN_NAME_FORM,                                                           \
		.pattern = "^[A-Za-z0-9._@+-]{1,64}$" },                                           \
	{                                                                                          \
		.name = "password", .type = BODY_TEXT, .is_required = true, .max = 1024,           \
		.is_good = password_is_good, .form = PASSWORD_FORM                                 \
	}

static const struct body_field fields[] = {
	{ .name = "token",
		.type = BODY_TEXT,
		.is_required = true,
		.max = 64,
		.help = "the last part of the setup link" },
	ACCOUNT_FIELDS,
	{ 0 },
};
static const struct body_schema schema = { .name = "Setup",
	.fields = fields,
	.example = "{\"token\":\"n4VGRHgudSOxD-DBVi-30H2NjMaq9tJqs8eacKDer_Y\",\"user\":\"anna"
		   "\",\"password\":\"correct horse battery\"}" };

static const struct body_field use_fields[] = { ACCOUNT_FIELDS, { 0 } };
static const struct body_schema use_schema = { .name = "SetupAccount",
	.fields = use_fields,
	.example = "{\"user\":\"anna\",\"password\":\"correct horse battery\"}" };

static const struct body_field link_fields[] = {
	{ .name = "role",
		.type = BODY_TEXT,
		.is_read_only = true,
		.max = 16,
		.help = "of the account that the link makes" },
	{ 0 },
};
static const struct body_schema link_schema = {
	.name = "SetupLink", .fields = link_fields, .example = "{\"role\":\"owner\"}"
};

struct owner {
	struct login l; /* first: what free_data wipes begins with it */
	char password[PASSWORD_HASH_MAX];
	char token[2 * DIGEST_LEN + 1];
	struct setup_form form;
	bool is_page;	      /* the answer is one */
	int wrong_status;     /* the answer where the token is wrong */
	size_t setup, admins; /* statements */
};

static void add_look(struct owner *o, struct db_batch *b)
{
	o->setup = db_add(b, "SELECT value FROM meta WHERE name = 'setup_sha256'", "");
	o->admins = db_add(b, "SELECT COUNT(*) FROM admins", "");
}

/* -EALREADY: there is an account; -EACCES: the token is wrong. */
static int check_look(const struct owner *o, const struct db_batch *b)
{
	const struct db_rows *setup = db_batch_rows(b, o->setup);

	if (atoll(db_cell(db_batch_rows(b, o->admins), 0, 0)))
		return -EALREADY;
	if (!setup->n || db_cell_len(setup, 0, 0) != sizeof(o->token) - 1 ||
		secret_differs((const uint8_t *)db_cell(setup, 0, 0), (const uint8_t *)o->token,
			sizeof(o->token)))
		return -EACCES;
	return 0;
}

static int setup_step(void *arg, struct db_batch *b, unsigned number)
{
	struct owner *o = arg;
	int64_t now = clock_wall_ms();
	int err;

	if (number == 0) {
		add_look(o, b);
		return 1;
	}
	if (number == 1) {
		err = check_look(o, b);
		if (err)
			return err;
		db_add(b,
			"INSERT INTO admins (name, password, role, created_at, password_at) VALUES "
			"(?, ?, 'owner', ?, ?)",
			"ssii", o->l.user, o->password, now, now);
		db_add(b, "DELETE FROM meta WHERE name = 'setup_sha256'", "");
		memcpy(o->l.checked, o->password, sizeof(o->l.checked));
		return login_step(&o->l, b, 0);
	}
	return login_step(&o->l, b, 1);
}

/* status is negative. */
static void refuse(const struct owner *o, int status)
{
	struct call *c = o->l.c;

	if (status != -EALREADY && status != -EACCES)
		call_failed(c, status, NULL);
	else if (o->is_page)
		setup_page_refuse(c, status == -EALREADY ? 410 : o->wrong_status);
	else if (status == -EALREADY)
		call_problem(c, 410, "an account is there already: log in");
	else
		call_problem(c, o->wrong_status, "the link is wrong or was used");
}

static void answer_done(const struct owner *o)
{
	struct http_head extra;

	if (!o->is_page) {
		login_answer(&o->l);
		return;
	}
	http_head_init(&extra);
	login_add_cookies(&o->l, &extra);
	setup_page_done(o->l.c, o->l.user, &extra);
	http_head_fini(&extra);
}

static void on_set_up(void *arg, int status)
{
	struct owner *o = arg;
	struct call *c = o->l.c;

	if (status) {
		refuse(o, status);
	} else {
		unlink(c->api->setup_file);
		answer_done(o);
	}
	exchange_end_work(&c->x);
}

static void on_hash(void *arg, int status, const char *hash)
{
	struct owner *o = arg;

	if (status) {
		call_failed(o->l.c, status, NULL);
		exchange_end_work(&o->l.c->x);
		return;
	}
	snprintf(o->password, sizeof(o->password), "%s", hash);
	store_transact(o->l.c->api->store, "accounts", "", setup_step, on_set_up, o);
}

static void free_owner(void *data)
{
	explicit_bzero(data, sizeof(struct owner));
	free(data);
}

/* NULL: answered. */
static struct owner *owner_new(struct call *c, const char *token, int wrong_status)
{
	unsigned wait = lockout_left(&c->api->lockout, &c->x.host, sizeof(c->x.host));
	struct owner *o = calloc(1, sizeof(*o));

	if (!o || !store_is_loaded(c->api->store) ||
		accounts_hash(token, strlen(token), o->token)) {
		free(o);
		call_failed(c, -ENOTCONN, NULL);
		return NULL;
	}
	c->data = o;
	c->free_data = free_owner;
	o->l.c = c;
	o->wrong_status = wrong_status;
	if (!wait)
		return o;
	call_problem_later(c, 429, "too many tries", wait);
	return NULL;
}

/* Within work on the exchange, which ends with the answer. */
static void make_owner(struct owner *o, const char *user, const char *password)
{
	struct call *c = o->l.c;

	snprintf(o->l.user, sizeof(o->l.user), "%s", user);
	if (!password_hash(&c->api->passwords, password, on_hash, o))
		return;
	call_problem_later(c, 503, "too many logins at once", 1);
	exchange_end_work(&c->x);
}

static void handle_setup(struct call *c)
{
	struct owner *o = owner_new(c, json_get(c->body, "token")->valuestring, 403);

	if (!o)
		return;
	lockout_fail(&c->api->lockout, &c->x.host, sizeof(c->x.host));
	if (store_accounts(c->api->store)->admins.count) {
		refuse(o, -EALREADY);
		return;
	}
	exchange_begin_work(&c->x);
	make_owner(o, json_get(c->body, "user")->valuestring,
		json_get(c->body, "password")->valuestring);
}

/* ---- the link itself ---- */

/* Asks the database whether the link is good: it may be another process that made it. */
static void look(struct owner *o, db_on_done on_done)
{
	struct db_batch *b = db_batch_new();
	struct call *c = o->l.c;

	if (!b) {
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	add_look(o, b);
	exchange_begin_work(&c->x);
	store_submit(c->api->store, b, on_done, o);
}

/* Is it good? Else answers. */
static bool take_look(struct owner *o, const struct db_batch *b, int status)
{
	struct call *c = o->l.c;

	if (!status)
		status = check_look(o, b);
	if (!status)
		return true;
	if (status == -EACCES)
		lockout_fail(&c->api->lockout, &c->x.host, sizeof(c->x.host));
	refuse(o, status);
	return false;
}

static void on_shown(void *arg, struct db_batch *b, int status)
{
	struct owner *o = arg;
	struct call *c = o->l.c;
	cJSON *json;

	if (take_look(o, b, status) && o->is_page) {
		setup_page_show(c, NULL);
	} else if (c->x.req) {
		json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "role", role_text(ROLE_OWNER));
		call_json(c, 200, json);
	}
	exchange_end_work(&c->x);
}

/* Leaves the link good: programs that preview links do no harm. */
static void handle_show(struct call *c)
{
	struct owner *o = owner_new(c, c->args[0], 404);

	if (!o)
		return;
	o->is_page = call_wants_page(c);
	look(o, on_shown);
}

static void on_usable(void *arg, struct db_batch *b, int status)
{
	struct owner *o = arg;
	struct call *c = o->l.c;

	if (take_look(o, b, status) && c->body) {
		make_owner(o, json_get(c->body, "user")->valuestring,
			json_get(c->body, "password")->valuestring);
		return;
	}
	if (c->x.req && setup_form_read(&o->form, (const char *)c->x.body.data, c->x.body.len)) {
		make_owner(o, o->form.user, o->form.password);
		return;
	}
	if (c->x.req)
		setup_page_show(c, &o->form);
	exchange_end_work(&c->x);
}

static void handle_use(struct call *c)
{
	struct owner *o = owner_new(c, c->args[0], 404);

	if (!o)
		return;
	o->is_page = !c->body;
	look(o, on_usable);
}

static const struct route routes[] = {
	{ .method = "POST",
		.path = "/auth/setup",
		.front = FRONT_ADMIN,
		.auth = AUTH_NONE,
		.request = &schema,
		.response = &account_schema,
		.status = 200,
		.body_max = 4096,
		.tag = "auth",
		.problem = 410,
		.summary = "Make the first account, with the setup link's token",
		.handle = handle_setup },
	{ .method = "GET",
		.path = "/setup/{link}",
		.front = FRONT_ADMIN,
		.auth = AUTH_NONE,
		.response = &link_schema,
		.status = 200,
		.tag = "auth",
		.other_type = "text/html",
		.problem = 410,
		.summary = "Is the setup link good? To browsers the form that uses it",
		.handle = handle_show },
	{ .method = "POST",
		.path = "/setup/{link}",
		.front = FRONT_ADMIN,
		.auth = AUTH_NONE,
		.request = &use_schema,
		.takes_form = true,
		.response = &account_schema,
		.status = 200,
		.body_max = 8192,
		.tag = "auth",
		.other_type = "text/html",
		.problem = 410,
		.summary = "Use the setup link up: the first account is made",
		.handle = handle_use },
};

struct route_set routes_setup(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
