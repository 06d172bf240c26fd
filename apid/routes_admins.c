/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/deed.h"
#include "apid/login.h"
#include "apid/notify.h"
#include "apid/page.h"
#include "apid/routes.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Administrators: for owners, in a session. */

#define GROUPS_FIELD                                                                               \
	{                                                                                          \
		.name = "groups", .type = BODY_TEXTS, .is_nullable = true, .max = 256,             \
		.help = "the groups that the account is limited to; null = all"                    \
	}

static const struct body_field new_fields[] = {
	{ .name = "name",
		.type = BODY_TEXT,
		.is_required = true,
		.min = 1,
		.max = 64,
		.is_good = admin_name_is_good,
		.form = ADMIN_NAME_FORM,
		.pattern = "^[A-Za-z0-9._@+-]{1,64}$" },
	{ .name = "password",
		.type = BODY_TEXT,
		.is_required = true,
		.max = 1024,
		.is_good = password_is_good,
		.form = PASSWORD_FORM },
	{ .name = "role", .type = BODY_ENUM, .is_required = true, .values = role_texts },
	GROUPS_FIELD,
	{ 0 },
};
static const struct body_schema new_schema = { .name = "NewAdmin",
	.fields = new_fields,
	.example = "{\"name\":\"helen\",\"password\":\"correct horse battery\",\"role\":\"help"
		   "er\",\"groups\":[\"kids\"]}" };

static const struct body_field change_fields[] = {
	{ .name = "password",
		.type = BODY_TEXT,
		.max = 1024,
		.is_good = password_is_good,
		.form = PASSWORD_FORM },
	{ .name = "role", .type = BODY_ENUM, .values = role_texts },
	GROUPS_FIELD,
	{ .name = "totp",
		.type = BODY_BOOL,
		.help = "false takes the one-time passwords away from who lost the device that "
			"makes them, and ends the sessions; only the account itself sets them up" },
	{ .name = "revoke_tokens", .type = BODY_BOOL, .help = "ends the account's tokens" },
	{ 0 },
};
static const struct body_schema change_schema = { .name = "AdminChange",
	.fields = change_fields,
	.example = "{\"role\":\"viewer\",\"groups\":null}" };

/* ---- reading ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void handle_list(struct call *c)
{
	const struct hmap *admins = &store_accounts(c->api->store)->admins;
	const char **names = calloc(admins->count + 1, sizeof(*names));
	cJSON *items = cJSON_CreateArray();
	size_t n = 0;

	hmap_foreach (admins, it) {
		if (names)
			names[n++] = it.key;
	}
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++)
		cJSON_AddItemToArray(items, login_account(c->api, names[i]));
	free(names);
	page_answer_items(c, items, NULL);
}

static void handle_get(struct call *c)
{
	cJSON *account = login_account(c->api, c->args[0]);

	if (account)
		call_json_tagged(c, 200, account);
	else
		call_failed(c, -ENOENT, "there is no such account");
}

static void answer_admin(struct deed *d)
{
	call_json_tagged(d->c, d->c->route->status, login_account(d->c->api, d->name));
}

/* ---- making ---- */

static const char *groups_json(const struct call *c, struct deed *d)
{
	const cJSON *groups = json_get(c->body, "groups");

	d->text = cJSON_IsArray(groups) ? json_format(groups) : NULL;
	return d->text;
}

/* What the audit keeps: never the password. */
static char *audit_text(const struct call *c)
{
	cJSON *copy = cJSON_Duplicate(c->body, true);
	char *text;

	if (json_get(copy, "password"))
		cJSON_ReplaceItemInObjectCaseSensitive(
			copy, "password", cJSON_CreateString("(set)"));
	text = copy ? json_format(copy) : NULL;
	cJSON_Delete(copy);
	return text;
}

static int add_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;
	struct call *c = d->c;
	int64_t now = clock_wall_ms();
	char *audit = audit_text(c);

	(void)number;
	db_add(b,
		"INSERT INTO admins (name, password, role, allowed_groups, created_at, "
		"password_at) "
		"VALUES (?, ?, ?, ?, ?, ?)",
		"ssssii", d->name, d->password, json_get(c->body, "role")->valuestring,
		groups_json(c, d), now, now);
	write_audit(b, &d->by, "admin_add", d->name, NULL, audit);
	free(audit);
	return 0;
}

static void handle_post(struct call *c)
{
	struct deed *d = deed_new(c, add_step, answer_admin);

	if (!d)
		return;
	d->conflict = "there is an account of this name";
	snprintf(d->name, sizeof(d->name), "%s", json_get(c->body, "name")->valuestring);
	deed_start_with(d, json_get(c->body, "password")->valuestring);
}

/* ---- changing and removing ---- */

static void look_for_owners(struct deed *d, struct db_batch *b)
{
	d->row = db_add(b,
		"SELECT role, allowed_groups, totp_enabled, name FROM admins WHERE name = ?", "s",
		d->name);
	d->other = db_add(b,
		"SELECT COUNT(*) FROM admins WHERE role = 'owner' AND allowed_groups IS NULL AND "
		"name "
		"<> ?",
		"s", d->name);
}

/* Is the account as If-Match wants it? */
static int check_match(const struct deed *d, const struct db_rows *row)
{
	int err = 0;
	struct group_set *groups = group_set_parse(db_cell(row, 0, 1), &err);
	cJSON *account = err ? NULL
			     : login_account_json(db_cell(row, 0, 3), db_cell(row, 0, 0), groups,
				       atoi(db_cell(row, 0, 2)));

	group_set_unref(groups);
	return deed_check(d, account);
}

/* Somebody must be left who may do everything. */
static int check_owner_left(const struct deed *d, const struct db_batch *b, bool stays_owner)
{
	const struct db_rows *row = db_batch_rows(b, d->row);

	if (!row->n)
		return -ENOENT;
	if (!stays_owner && !strcmp(db_cell(row, 0, 0), "owner") &&
		!atoll(db_cell(db_batch_rows(b, d->other), 0, 0)))
		return -EEXIST;
	return check_match(d, row);
}

static void add_changes(struct deed *d, struct db_batch *b)
{
	const cJSON *body = d->c->body, *role = json_get(body, "role");
	char *audit = audit_text(d->c);

	if (role)
		db_add(b, "UPDATE admins SET role = ? WHERE name = ?", "ss", role->valuestring,
			d->name);
	if (json_get(body, "groups"))
		db_add(b, "UPDATE admins SET allowed_groups = ? WHERE name = ?", "ss",
			groups_json(d->c, d), d->name);
	if (d->password[0])
		db_add(b, "UPDATE admins SET password = ?, password_at = ? WHERE name = ?", "sis",
			d->password, clock_wall_ms(), d->name);
	if (json_get(body, "totp")) {
		db_add(b,
			"UPDATE admins SET totp_enabled = 0, totp_seed = NULL, recovery = NULL "
			"WHERE name = ?",
			"s", d->name);
		write_audit(b, &d->by, "totp_reset", d->name, NULL, NULL);
	}
	if (d->password[0] || json_get(body, "totp"))
		db_add(b, "DELETE FROM sessions WHERE admin = ?", "s", d->name);
	if (cJSON_IsTrue(json_get(body, "revoke_tokens")))
		db_add(b, "DELETE FROM tokens WHERE admin = ?", "s", d->name);
	write_audit(b, &d->by, "admin_change", d->name, NULL, audit);
	free(audit);
}

static int change_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;
	const cJSON *role = json_get(d->c->body, "role"), *groups = json_get(d->c->body, "groups");
	int r;

	if (number == 0) {
		look_for_owners(d, b);
		return 1;
	}
	r = check_owner_left(
		d, b, (!role || !strcmp(role->valuestring, "owner")) && !cJSON_IsArray(groups));
	if (!r)
		add_changes(d, b);
	return r;
}

/* A second factor that is gone is told of: it is what somebody who took over an owner would do. */
static void answer_changed(struct deed *d)
{
	cJSON *data;
	char text[256];

	if (json_get(d->c->body, "totp")) {
		data = cJSON_CreateObject();
		cJSON_AddStringToObject(data, "what", "totp_reset");
		cJSON_AddStringToObject(data, "account", d->name);
		cJSON_AddStringToObject(data, "by", d->by.name);
		snprintf(text, sizeof(text), "%s took away the one-time passwords of %s",
			d->by.name, d->name);
		notify_add(d->c->api->notify, "account", data, text);
	}
	answer_admin(d);
}

static void handle_patch(struct call *c)
{
	const cJSON *password = json_get(c->body, "password");
	struct body_error err;
	struct deed *d;
	int fault = body_check(&change_schema, c->body, &err);

	if (fault) {
		call_unfit(c, fault, &err);
		return;
	}
	if (cJSON_IsTrue(json_get(c->body, "totp"))) {
		call_invalid(c, "/totp", "can only be false: the account itself sets it up");
		return;
	}
	if (json_get(c->body, "totp") && !strcasecmp(c->args[0], c->actor.name)) {
		call_problem(c, 409, "one's own: POST /auth/totp/disable, with the password");
		return;
	}
	d = deed_new(c, change_step, answer_changed);
	if (!d || !deed_take_precondition(d))
		return;
	d->conflict = "it is the last owner without a limit";
	snprintf(d->name, sizeof(d->name), "%s", c->args[0]);
	if (password)
		deed_start_with(d, password->valuestring);
	else
		deed_start(d);
}

static int remove_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;
	int r;

	if (number == 0) {
		look_for_owners(d, b);
		return 1;
	}
	r = check_owner_left(d, b, false);
	if (r)
		return r;
	db_add(b, "DELETE FROM admins WHERE name = ?", "s", d->name);
	write_audit(b, &d->by, "admin_remove", d->name, NULL, NULL);
	return 0;
}

static void handle_delete(struct call *c)
{
	struct deed *d = deed_new(c, remove_step, NULL);

	if (!d || !deed_take_precondition(d))
		return;
	d->conflict = "it is the last owner without a limit";
	snprintf(d->name, sizeof(d->name), "%s", c->args[0]);
	deed_start(d);
}

#define ADMINS "/api/v1/admins"
#define ROUTE(m, p)                                                                                \
	.method = m, .path = p, .front = FRONT_ADMIN, .auth = AUTH_SESSION, .roles = BY_OWNER,     \
	.reach = REACH_ALL, .tag = "accounts"

static const struct route routes[] = {
	{ ROUTE("GET", ADMINS), .response = &account_schema, .is_page = true, .status = 200,
		.summary = "The accounts", .handle = handle_list },
	{ ROUTE("POST", ADMINS), .request = &new_schema, .response = &account_schema, .status = 201,
		.summary = "Make an account", .handle = handle_post },
	{ ROUTE("GET", ADMINS "/{name}"), .response = &account_schema, .status = 200,
		.summary = "One account", .handle = handle_get },
	{ ROUTE("PATCH", ADMINS "/{name}"), .request = &change_schema, .is_patch = true,
		.response = &account_schema, .status = 200,
		.summary = "Change an account; a new password ends its sessions",
		.handle = handle_patch },
	{ ROUTE("DELETE", ADMINS "/{name}"), .status = 204,
		.summary = "Remove an account, its sessions and tokens", .handle = handle_delete },
};

struct route_set routes_admins(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
