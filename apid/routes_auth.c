/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/identify.h"
#include "apid/login.h"
#include "apid/routes.h"
#include "common/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- POST /auth/login ---- */

static const struct body_field login_fields[] = {
	{ .name = "user",
		.type = BODY_TEXT,
		.is_required = true,
		.min = 1,
		.max = 64,
		.help = "name of the account" },
	{ .name = "password",
		.type = BODY_TEXT,
		.is_required = true,
		.max = 1024,
		.help = "more than 72 bytes are nobody's password" },
	{ .name = "totp",
		.type = BODY_TEXT,
		.max = 64,
		.help = "six digits, or a recovery code; needed once it is set up" },
	{ 0 },
};
static const struct body_schema login_schema = { .name = "Login",
	.fields = login_fields,
	.example = "{\"user\":\"anna\",\"password\":\"correct horse\",\"totp\":\"123456\"}" };

static const struct body_field account_fields[] = {
	{ .name = "name", .type = BODY_TEXT, .is_read_only = true, .max = 64 },
	{ .name = "role", .type = BODY_ENUM, .is_read_only = true, .values = role_texts },
	{ .name = "groups",
		.type = BODY_TEXTS,
		.is_read_only = true,
		.is_nullable = true,
		.max = 256,
		.help = "the groups that the account is limited to; null = all" },
	{ .name = "totp",
		.type = BODY_BOOL,
		.is_read_only = true,
		.help = "is a one-time password asked for?" },
	{ .name = "csrf",
		.type = BODY_TEXT,
		.is_read_only = true,
		.max = 64,
		.help = "for the header X-CSRF-Token of every change" },
	{ 0 },
};
const struct body_schema account_schema = { .name = "Account", .fields = account_fields };

static const char lock_by_address[] = "address", lock_by_name[] = "name";

/* The key of a lockout; of names the case is one. */
static size_t lock_key(
	const struct call *c, const char *kind, const char *user, char out[static 96])
{
	char address[ADDR_STRLEN];
	size_t len;

	addr_format(&c->x.client, address);
	len = (size_t)snprintf(out, 96, "%s %.70s", kind, kind == lock_by_address ? address : user);
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)out[i]);
	return len;
}

/* Seconds to wait. */
static unsigned is_locked(struct call *c, const char *user)
{
	char key[96];
	size_t len = lock_key(c, lock_by_name, user, key);
	unsigned by_name = lockout_left(&c->api->lockout, key, len), by_address;

	len = lock_key(c, lock_by_address, user, key);
	by_address = lockout_left(&c->api->lockout, key, len);
	return by_name > by_address ? by_name : by_address;
}

/* Every attempt counts as failed until it is not: many at once are no way round. */
static void count_attempt(struct call *c, const char *user)
{
	char key[96];

	if (lockout_fail(&c->api->lockout, key, lock_key(c, lock_by_name, user, key)))
		log_warning("an account is locked after failed logins");
	lockout_fail(&c->api->lockout, key, lock_key(c, lock_by_address, user, key));
}

static void note_failure(struct call *c, const char *user)
{
	struct db_batch *b = db_batch_new();
	struct store_actor by;

	if (!b)
		return;
	call_by(c, &by);
	write_audit(b, &by, "login_failed", user, NULL, NULL);
	store_submit(c->api->store, b, NULL, NULL);
}

static void clear_failures(struct call *c, const char *user)
{
	char key[96];

	lockout_clear(&c->api->lockout, key, lock_key(c, lock_by_name, user, key));
	lockout_clear(&c->api->lockout, key, lock_key(c, lock_by_address, user, key));
}

static void refuse_login(struct call *c, const struct login *l)
{
	note_failure(c, l->user);
	call_problem(c, 401, "name, password or code is wrong");
}

static void on_logged_in(void *arg, int status)
{
	struct login *l = arg;
	struct call *c = l->c;

	if (status == -ENOKEY) {
		call_problem_code(c, 401, "totp_required", "a one-time password is needed");
	} else if (status == -EACCES || status == -ESRCH) {
		refuse_login(c, l);
	} else if (status) {
		call_failed(c, status, NULL);
	} else {
		clear_failures(c, l->user);
		login_answer(c, l->user, l->value, l->hash);
	}
	exchange_end_work(&c->x);
}

static void on_password(void *arg, bool is_match)
{
	struct login *l = arg;
	struct call *c = l->c;

	if (is_match) {
		store_transact(c->api->store, "accounts", "", login_step, on_logged_in, l);
		return;
	}
	refuse_login(c, l);
	exchange_end_work(&c->x);
}

static void free_wiped(void *data)
{
	explicit_bzero(data, sizeof(struct login));
	free(data);
}

static void copy_text(char *out, size_t size, const cJSON *text)
{
	snprintf(out, size, "%s", cJSON_IsString(text) ? text->valuestring : "");
}

static void handle_login(struct call *c)
{
	struct login *l = calloc(1, sizeof(*l));
	const char *password = json_get(c->body, "password")->valuestring;
	const struct admin *admin;
	unsigned wait;
	int err;

	if (!l) {
		call_failed(c, -ENOMEM, NULL);
		return;
	}
	c->data = l;
	c->free_data = free_wiped;
	l->c = c;
	copy_text(l->user, sizeof(l->user), json_get(c->body, "user"));
	copy_text(l->code, sizeof(l->code), json_get(c->body, "totp"));
	if (!store_is_loaded(c->api->store)) {
		call_failed(c, -ENOTCONN, NULL);
		return;
	}
	wait = is_locked(c, l->user);
	if (wait) {
		call_problem_later(c, 429, "too many failed logins", wait);
		return;
	}
	count_attempt(c, l->user);
	admin = hmap_find_str(&store_accounts(c->api->store)->admins, l->user);
	if (admin)
		memcpy(l->checked, admin->password, sizeof(l->checked));
	exchange_begin_work(&c->x);
	err = password_check(
		&c->api->passwords, password, admin ? l->checked : NULL, on_password, l);
	if (!err)
		return;
	call_problem_later(c, 503, "too many logins at once", 1);
	exchange_end_work(&c->x);
}

/* ---- POST /auth/logout ---- */

static int logout_step(void *arg, struct db_batch *b, unsigned number)
{
	struct call *c = arg;
	struct store_actor by;

	(void)number;
	call_by(c, &by);
	db_add(b, "DELETE FROM sessions WHERE hash = ?", "s", c->actor.credential);
	write_audit(b, &by, "logout", c->actor.name, NULL, NULL);
	return 0;
}

static void on_logged_out(void *arg, int status)
{
	struct call *c = arg;
	struct http_head extra;
	char cookie[256];

	if (status) {
		call_failed(c, status, NULL);
	} else {
		session_cookie(NULL, 0, cookie);
		http_head_init(&extra);
		http_head_add(&extra, "Set-Cookie", cookie);
		call_text_with(c, 204, NULL, NULL, 0, NULL, &extra);
		http_head_fini(&extra);
	}
	exchange_end_work(&c->x);
}

static void handle_logout(struct call *c)
{
	exchange_begin_work(&c->x);
	store_transact(c->api->store, "accounts", "", logout_step, on_logged_out, c);
}

/* ---- GET /auth/me, /auth/csrf ---- */

static void handle_me(struct call *c)
{
	cJSON *json = login_account(c->api, c->actor.name);

	if (json && c->actor.kind == ACTOR_TOKEN) {
		cJSON_DeleteItemFromObject(json, "role");
		cJSON_AddStringToObject(json, "role", role_text(c->actor.role));
	}
	call_json(c, 200, json);
}

static const struct body_field csrf_fields[] = {
	{ .name = "csrf", .type = BODY_TEXT, .is_read_only = true, .max = 64 },
	{ 0 },
};
static const struct body_schema csrf_schema = { .name = "Csrf", .fields = csrf_fields };

static void handle_csrf(struct call *c)
{
	char text[BASE64URL_TEXT + 1];
	cJSON *json = cJSON_CreateObject();

	if (session_csrf(&c->api->secret, c->actor.credential, text)) {
		cJSON_Delete(json);
		call_problem(c, 503, NULL);
		return;
	}
	cJSON_AddStringToObject(json, "csrf", text);
	call_json(c, 200, json);
}

static const struct route routes[] = {
	{ .method = "POST",
		.path = "/auth/login",
		.front = FRONT_ADMIN,
		.auth = AUTH_NONE,
		.request = &login_schema,
		.response = &account_schema,
		.status = 200,
		.body_max = 4096,
		.tag = "auth",
		.summary = "Log in",
		.handle = handle_login },
	{ .method = "POST",
		.path = "/auth/logout",
		.front = FRONT_ADMIN,
		.auth = AUTH_SESSION,
		.roles = BY_ALL,
		.status = 204,
		.tag = "auth",
		.summary = "Log out",
		.handle = handle_logout },
	{ .method = "GET",
		.path = "/auth/me",
		.front = FRONT_ADMIN,
		.roles = BY_ALL,
		.scope = SCOPE_DEVICES,
		.response = &account_schema,
		.status = 200,
		.tag = "auth",
		.summary = "Who am I?",
		.handle = handle_me },
	{ .method = "GET",
		.path = "/auth/csrf",
		.front = FRONT_ADMIN,
		.auth = AUTH_SESSION,
		.roles = BY_ALL,
		.response = &csrf_schema,
		.status = 200,
		.tag = "auth",
		.summary = "The token for X-CSRF-Token",
		.handle = handle_csrf },
};

struct route_set routes_auth(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
