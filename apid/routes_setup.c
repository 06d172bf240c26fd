/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/identify.h"
#include "apid/login.h"
#include "apid/routes.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* POST /auth/setup: the link's token becomes the first owner. */

bool admin_name_is_good(const char *text)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@+-";

	return text[0] && !text[strspn(text, good)] && strlen(text) <= 64;
}

static const struct body_field fields[] = {
	{ .name = "token",
		.type = BODY_TEXT,
		.is_required = true,
		.max = 64,
		.help = "what stands behind # in the setup link" },
	{ .name = "user",
		.type = BODY_TEXT,
		.is_required = true,
		.min = 1,
		.max = 64,
		.is_good = admin_name_is_good,
		.form = "holds others than A-Z a-z 0-9 . _ @ + -",
		.pattern = "^[A-Za-z0-9._@+-]{1,64}$" },
	{ .name = "password",
		.type = BODY_TEXT,
		.is_required = true,
		.max = 1024,
		.is_good = password_is_good,
		.form = PASSWORD_FORM },
	{ 0 },
};
static const struct body_schema schema = { .name = "Setup", .fields = fields };

struct owner {
	struct login l; /* first: what free_data wipes begins with it */
	char password[PASSWORD_HASH_MAX];
	char token[2 * DIGEST_LEN + 1];
	size_t setup, admins;
};

static int setup_step(void *arg, struct db_batch *b, unsigned number)
{
	struct owner *o = arg;
	const struct db_rows *setup, *admins;
	int64_t now = clock_wall_ms();
	int err;

	if (number == 0) {
		o->setup = db_add(b, "SELECT value FROM meta WHERE name = 'setup_sha256'", "");
		o->admins = db_add(b, "SELECT COUNT(*) FROM admins", "");
		return 1;
	}
	if (number == 1) {
		setup = db_batch_rows(b, o->setup);
		admins = db_batch_rows(b, o->admins);
		if (atoll(db_cell(admins, 0, 0)))
			return -EALREADY;
		if (!setup->n || secret_differs((const uint8_t *)db_cell(setup, 0, 0),
					 (const uint8_t *)o->token, sizeof(o->token)))
			return -EACCES;
		db_add(b,
			"INSERT INTO admins (name, password, role, created_at, password_at) VALUES "
			"(?, ?, 'owner', ?, ?)",
			"ssii", o->l.user, o->password, now, now);
		db_add(b, "DELETE FROM meta WHERE name = 'setup_sha256'", "");
		memcpy(o->l.checked, o->password, sizeof(o->l.checked));
		err = login_step(&o->l, b, 0);
		return err;
	}
	return login_step(&o->l, b, 1);
}

static void on_set_up(void *arg, int status)
{
	struct owner *o = arg;
	struct call *c = o->l.c;

	if (status == -EALREADY) {
		call_problem(c, 410, "an account is there already: log in");
	} else if (status == -EACCES) {
		call_problem(c, 403, "the link is wrong or was used");
	} else if (status) {
		call_failed(c, status, NULL);
	} else {
		unlink(c->api->setup_file);
		login_answer(&o->l);
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

static void handle_setup(struct call *c)
{
	const char *token = json_get(c->body, "token")->valuestring;
	unsigned wait = lockout_left(&c->api->lockout, &c->x.host, sizeof(c->x.host));
	struct owner *o = calloc(1, sizeof(*o));

	if (!o || !store_is_loaded(c->api->store)) {
		free(o);
		call_failed(c, -ENOTCONN, NULL);
		return;
	}
	c->data = o;
	c->free_data = free_owner;
	o->l.c = c;
	if (wait) {
		call_problem_later(c, 429, "too many tries", wait);
		return;
	}
	lockout_fail(&c->api->lockout, &c->x.host, sizeof(c->x.host));
	if (store_accounts(c->api->store)->admins.count) {
		call_problem(c, 410, "an account is there already: log in");
		return;
	}
	snprintf(o->l.user, sizeof(o->l.user), "%s", json_get(c->body, "user")->valuestring);
	accounts_hash(token, strlen(token), o->token);
	exchange_begin_work(&c->x);
	if (!password_hash(
		    &c->api->passwords, json_get(c->body, "password")->valuestring, on_hash, o))
		return;
	call_problem_later(c, 503, "too many logins at once", 1);
	exchange_end_work(&c->x);
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
		.summary = "Make the first account, with the setup link's token",
		.handle = handle_setup },
};

struct route_set routes_setup(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
