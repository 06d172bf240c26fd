/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/login.h"
#include "apid/known.h"
#include "apid/totp.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGENT_MAX = 256, SESSIONS_MAX = 100 };

/* ---- the code ---- */

static int check_totp(const struct api *a, const char *user, const char *code,
	const struct db_rows *rows, struct db_batch *b)
{
	uint8_t seed[TOTP_SECRET_LEN];
	int64_t step, last = atoll(db_cell(rows, 0, 3));
	int err = -EACCES;

	if (db_cell(rows, 0, 1) && db_cell_len(rows, 0, 1) == TOTP_SECRET_LEN + SEAL_OVERHEAD &&
		!secret_unseal(&a->secret, user, (const uint8_t *)db_cell(rows, 0, 1),
			db_cell_len(rows, 0, 1), seed) &&
		!totp_check(seed, code, clock_wall_ms(), last, &step)) {
		db_add(b, "UPDATE admins SET totp_step = ? WHERE name = ?", "is", step, user);
		err = 0;
	}
	explicit_bzero(seed, sizeof(seed));
	return err;
}

/* A recovery code is good once. */
static int check_recovery(
	const char *user, const char *code, const char *recovery, struct db_batch *b)
{
	char hash[2 * DIGEST_LEN + 1], *text;
	cJSON *list = recovery ? json_parse(recovery, strlen(recovery)) : NULL;
	int n = cJSON_GetArraySize(list), found = -1;

	if (accounts_hash(code, strlen(code), hash))
		n = 0;
	for (int i = 0; i < n; i++) {
		const char *item = cJSON_GetStringValue(cJSON_GetArrayItem(list, i));

		if (item && !strcmp(item, hash))
			found = i;
	}
	if (found >= 0) {
		cJSON_DeleteItemFromArray(list, found);
		text = json_format(list);
		db_add(b, "UPDATE admins SET recovery = ? WHERE name = ?", "ss", text ? text : "[]",
			user);
		free(text);
	}
	cJSON_Delete(list);
	return found >= 0 ? 0 : -EACCES;
}

int login_check_code(const struct api *a, const char *user, const char *code,
	const struct db_rows *rows, struct db_batch *b, bool *used_recovery)
{
	*used_recovery = false;
	if (!atoi(db_cell(rows, 0, 2)))
		return 0;
	if (!code[0])
		return -ENOKEY;
	if (strlen(code) == TOTP_DIGITS)
		return check_totp(a, user, code, rows, b);
	*used_recovery = true;
	return check_recovery(user, code, db_cell(rows, 0, 4), b);
}

/* ---- the session ---- */

static void add_session(struct login *l, struct db_batch *b)
{
	const struct call *c = l->c;
	const struct http_head *head = exchange_head(&c->x);
	const char *agent = head ? http_head_get(head, "user-agent") : NULL;
	char address[ADDR_STRLEN], text[AGENT_MAX];
	int64_t now = clock_wall_ms();
	size_t n = 0;

	addr_format(&c->x.client, address);
	/* What is no ASCII is nobody's real agent, and may be no UTF-8. */
	for (; agent && *agent && n + 1 < sizeof(text); agent++)
		text[n++] = *agent >= 0x20 && *agent < 0x7f ? *agent : '?';
	text[n] = '\0';
	db_add(b, "DELETE FROM sessions WHERE seen_at < ? OR created_at < ?", "ii",
		now - c->api->session_idle_ms, now - c->api->session_max_ms);
	/* The browser has another cookie now. */
	if (l->brought[0])
		db_add(b, "DELETE FROM sessions WHERE hash = ?", "s", l->brought);
	/* Of one account; the one that was idle longest goes. */
	db_add(b,
		"DELETE FROM sessions WHERE admin = ? AND hash NOT IN (SELECT hash FROM (SELECT "
		"hash FROM sessions WHERE admin = ? ORDER BY seen_at DESC, hash LIMIT ?) AS "
		"newest)",
		"ssi", l->user, l->user, (int64_t)SESSIONS_MAX - 1);
	db_add(b,
		"INSERT INTO sessions (hash, admin, created_at, seen_at, address, agent) VALUES "
		"(?, "
		"?, ?, ?, ?, ?)",
		"ssiiss", l->hash, l->user, now, now, address, text);
}

int login_step(void *arg, struct db_batch *b, unsigned number)
{
	struct login *l = arg;
	const struct db_rows *rows;
	struct store_actor by;
	int err;

	if (number == 0) {
		l->row = db_add(b, LOGIN_ROW, "s", l->user);
		return 1;
	}
	rows = db_batch_rows(b, l->row);
	if (!rows->n || strcmp(db_cell(rows, 0, 0), l->checked))
		return -ESRCH;
	err = login_check_code(l->c->api, l->user, l->code, rows, b, &l->used_recovery);
	if (!err)
		err = session_make(&l->c->api->secret, l->value, l->hash);
	if (err)
		return err;
	add_session(l, b);
	call_by(l->c, &by);
	snprintf(by.name, sizeof(by.name), "admin:%s", l->user);
	write_audit(
		b, &by, l->used_recovery ? "login_by_recovery_code" : "login", l->user, NULL, NULL);
	return 0;
}

/* ---- the answer ---- */

cJSON *login_account_json(
	const char *name, const char *role, const struct group_set *set, bool has_totp)
{
	cJSON *json = cJSON_CreateObject(), *groups;

	cJSON_AddStringToObject(json, "name", name);
	cJSON_AddStringToObject(json, "role", role);
	groups = set ? cJSON_AddArrayToObject(json, "groups")
		     : cJSON_AddNullToObject(json, "groups");
	for (size_t i = 0; set && i < set->n; i++)
		cJSON_AddItemToArray(groups, cJSON_CreateString(set->v[i]));
	cJSON_AddBoolToObject(json, "totp", has_totp);
	return json;
}

cJSON *login_account(const struct api *a, const char *user)
{
	const struct admin *admin = hmap_find_str(&store_accounts(a->store)->admins, user);

	return admin ? login_account_json(
			       admin->name, role_text(admin->role), admin->groups, admin->has_totp)
		     : NULL;
}

void login_add_cookies(const struct login *l, struct http_head *extra)
{
	const struct api *a = l->c->api;
	char cookie[256], known[256];

	session_cookie(l->value, a->session_max_ms / 1000, cookie);
	http_head_add(extra, "Set-Cookie", cookie);
	if (!known_cookie(&a->secret, l->user, l->known, known))
		http_head_add(extra, "Set-Cookie", known);
	explicit_bzero(cookie, sizeof(cookie));
}

void login_answer(const struct login *l)
{
	struct call *c = l->c;
	char csrf[BASE64URL_TEXT + 1], *text;
	cJSON *json = login_account(c->api, l->user);
	struct http_head extra;

	if (!json || session_csrf(&c->api->secret, l->hash, csrf)) {
		cJSON_Delete(json);
		call_problem(c, 503, "the account is gone");
		return;
	}
	cJSON_AddStringToObject(json, "csrf", csrf);
	http_head_init(&extra);
	login_add_cookies(l, &extra);
	text = json_format(json);
	cJSON_Delete(json);
	call_text_with(c, 200, "application/json", text ? text : "{}", text ? strlen(text) : 2,
		NULL, &extra);
	http_head_fini(&extra);
	free(text);
}
