/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/call.h"
#include "apid/known.h"
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
const struct body_schema account_schema = { .name = "Account",
	.fields = account_fields,
	.example = "{\"name\":\"anna\",\"role\":\"admin\",\"groups\":null,\"totp\":false}" };

enum lock { LOCK_NAME, LOCK_HOST, LOCK_BROWSER, LOCKS };

/* The key of a lockout; of names the case is one. 0: this one does not count for this login. */
static size_t lock_key(const struct login *l, enum lock kind, char out[static 96])
{
	bool is_known = l->known[0];
	char address[ADDR_STRLEN];
	int len = 0;

	addr_format(&l->c->x.host, address);
	if (kind == LOCK_BROWSER && is_known)
		len = snprintf(out, 96, "browser %s", l->known);
	else if (kind == LOCK_HOST && !is_known)
		len = snprintf(out, 96, "address %s", address);
	else if (kind == LOCK_NAME && !is_known)
		len = snprintf(out, 96, "name %.64s", l->user);
	for (int i = 0; kind == LOCK_NAME && i < len; i++)
		out[i] = (char)tolower((unsigned char)out[i]);
	return (size_t)len;
}

/* Seconds to wait. */
static unsigned is_locked(struct login *l)
{
	unsigned wait = 0;
	char key[96];

	for (int kind = 0; kind < LOCKS; kind++) {
		size_t len = lock_key(l, (enum lock)kind, key);
		unsigned left = len ? lockout_left(&l->c->api->lockout, key, len) : 0;

		wait = left > wait ? left : wait;
	}
	return wait;
}

/* Every attempt counts as failed until it is not: many at once are no way round. */
static void count_attempt(struct login *l)
{
	char key[96];

	for (int kind = 0; kind < LOCKS; kind++) {
		size_t len = lock_key(l, (enum lock)kind, key);

		if (len && lockout_fail(&l->c->api->lockout, key, len) && kind == LOCK_NAME)
			log_warning("an account is locked after failed logins");
	}
}

/* It was no failure. A success forgets all of the name's and browser's; of an address only this
 * one, else who has an account could try others' for ever. */
static void uncount_attempt(struct login *l, bool is_success)
{
	char key[96];

	for (int kind = 0; kind < LOCKS; kind++) {
		size_t len = lock_key(l, (enum lock)kind, key);

		if (len && is_success && kind != LOCK_HOST)
			lockout_clear(&l->c->api->lockout, key, len);
		else if (len)
			lockout_undo(&l->c->api->lockout, key, len);
	}
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
		/* The password was right: the code that is asked for now is the attempt. */
		uncount_attempt(l, false);
		call_problem_code(c, 401, "totp_required", "a one-time password is needed");
	} else if (status == -EACCES || status == -ESRCH) {
		refuse_login(c, l);
	} else if (status) {
		uncount_attempt(l, false);
		call_failed(c, status, NULL);
	} else {
		uncount_attempt(l, true);
		login_answer(l);
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
	known_find(c, l->user, l->known);
	session_brought(c, l->brought);
	wait = is_locked(l);
	if (wait) {
		call_problem_later(c, 429, "too many failed logins", wait);
		return;
	}
	count_attempt(l);
	admin = hmap_find_str(&store_accounts(c->api->store)->admins, l->user);
	if (admin)
		memcpy(l->checked, admin->password, sizeof(l->checked));
	exchange_begin_work(&c->x);
	err = password_check(
		&c->api->passwords, password, admin ? l->checked : NULL, on_password, l);
	if (!err)
		return;
	uncount_attempt(l, false);
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
static const struct body_schema csrf_schema = { .name = "Csrf",
	.fields = csrf_fields,
	.example = "{\"csrf\":\"gproCrX2R5WjC5grs6szapN4PWoz-H3vTbWbT0fJzJE\"}" };

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
