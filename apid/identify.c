/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/identify.h"
#include "common/random.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WRITE_SEEN_MS = 60000 };

int token_make(
	const char *prefix, char text[static TOKEN_TEXT], char hash[static 2 * DIGEST_LEN + 1])
{
	uint8_t raw[32];

	if (random_bytes(NULL, raw, sizeof(raw)))
		return -EIO;
	memcpy(text, prefix, 4);
	base64url_format(raw, sizeof(raw), text + 4);
	explicit_bzero(raw, sizeof(raw));
	return accounts_hash(text, strlen(text), hash);
}

/* ---- sessions ---- */

int session_make(const struct secret *s, char value[static SESSION_VALUE],
	char hash[static 2 * DIGEST_LEN + 1])
{
	uint8_t raw[32], sign[SECRET_LEN];

	if (random_bytes(NULL, raw, sizeof(raw)) || secret_sign(s->session, raw, sizeof(raw), sign))
		return -EIO;
	base64url_format(raw, sizeof(raw), value);
	value[BASE64URL_TEXT] = '.';
	base64url_format(sign, sizeof(sign), value + BASE64URL_TEXT + 1);
	return accounts_hash(raw, sizeof(raw), hash);
}

enum { COOKIES_MAX = 4096 };

static int verify_cookie(
	const struct secret *s, const char *value, size_t len, char hash[static 2 * DIGEST_LEN + 1])
{
	uint8_t raw[32], sign[SECRET_LEN], good[SECRET_LEN];

	if (len != SESSION_VALUE - 1 || value[BASE64URL_TEXT] != '.' ||
		base64url_parse(value, BASE64URL_TEXT, raw, sizeof(raw)) ||
		base64url_parse(value + BASE64URL_TEXT + 1, BASE64URL_TEXT, sign, sizeof(sign)))
		return -EINVAL;
	if (secret_sign(s->session, raw, sizeof(raw), good) ||
		secret_differs(sign, good, sizeof(good)))
		return -EINVAL;
	return accounts_hash(raw, sizeof(raw), hash);
}

int session_csrf(const struct secret *s, const char *hash, char out[static BASE64URL_TEXT + 1])
{
	uint8_t sum[SECRET_LEN];
	int err = secret_sign(s->csrf, hash, strlen(hash), sum);

	if (!err)
		base64url_format(sum, sizeof(sum), out);
	return err;
}

void session_cookie(const char *value, int64_t max_age_s, char out[static 256])
{
	snprintf(out, 256,
		SESSION_COOKIE "=%s; Path=/; Max-Age=%lld; HttpOnly; Secure; SameSite=Lax",
		value ? value : "", value ? (long long)max_age_s : 0);
}

/* The hash of a cookie's value that we signed. The arithmetic is done once per cookie. */
static int session_hash(
	struct api *a, const char *value, size_t len, char hash[static 2 * DIGEST_LEN + 1])
{
	const char *known = hmap_find(&a->cookies, value, len);
	char *copy;
	int err;

	if (known) {
		memcpy(hash, known, 2 * DIGEST_LEN + 1);
		return 0;
	}
	err = verify_cookie(&a->secret, value, len, hash);
	if (err)
		return err;
	if (a->cookies.count >= COOKIES_MAX)
		hmap_clear(&a->cookies);
	copy = strdup(hash);
	if (copy && hmap_set(&a->cookies, value, len, copy))
		free(copy);
	return 0;
}

const char *cookie_find(const struct http_head *head, const char *name, size_t *len)
{
	const char *text = http_head_get(head, "cookie");
	size_t name_len = strlen(name);

	while (text && *text) {
		text += strspn(text, " \t;");
		*len = strcspn(text, ";");
		if (*len > name_len + 1 && !strncmp(text, name, name_len) &&
			text[name_len] == '=') {
			*len -= name_len + 1;
			return text + name_len + 1;
		}
		text += *len;
	}
	return NULL;
}

void session_brought(const struct call *c, char hash[static 2 * DIGEST_LEN + 1])
{
	const struct http_head *head = exchange_head(&c->x);
	size_t len;
	const char *value = head ? cookie_find(head, SESSION_COOKIE, &len) : NULL;

	if (!value || session_hash(c->api, value, len, hash))
		hash[0] = '\0';
}

static void touch(struct call *c, struct session *s, int64_t now)
{
	struct db_batch *b;

	s->seen_at = now;
	if (now - s->written_at < WRITE_SEEN_MS || !(b = db_batch_new()))
		return;
	s->written_at = now;
	db_add(b, "UPDATE sessions SET seen_at = ? WHERE hash = ?", "is", now, s->hash);
	store_submit(c->api->store, b, NULL, NULL);
}

static bool session_is_good(const struct api *a, const struct session *s, int64_t now)
{
	return now - s->seen_at <= a->session_idle_ms && now - s->created_at <= a->session_max_ms;
}

static int by_session(struct call *c, const struct http_head *head, const char **why)
{
	struct accounts *accounts = store_accounts(c->api->store);
	int64_t now = clock_wall_ms();
	const struct admin *admin;
	struct session *s;
	size_t len;
	const char *value = cookie_find(head, SESSION_COOKIE, &len);
	struct actor *a = &c->actor;

	*why = "log in first";
	if (!value)
		return 401;
	*why = "the session has ended";
	if (session_hash(c->api, value, len, a->credential))
		return 401;
	s = hmap_find_str(&accounts->sessions, a->credential);
	if (!s || !session_is_good(c->api, s, now))
		return 401;
	admin = hmap_find_str(&accounts->admins, s->admin);
	if (!admin)
		return 401;
	a->kind = ACTOR_SESSION;
	a->role = admin->role;
	a->groups = group_set_ref(admin->groups);
	snprintf(a->name, sizeof(a->name), "%s", admin->name);
	touch(c, s, now);
	return 0;
}

/* ---- tokens ---- */

/* The groups that both sets have; NULL = no limit. *err -ENOMEM. */
static struct group_set *common_groups(struct group_set *a, struct group_set *b, int *err)
{
	struct group_set *out;
	cJSON *list;
	char *text;

	*err = 0;
	if (!a || !b)
		return group_set_ref(a ? a : b);
	list = cJSON_CreateArray();
	for (size_t i = 0; i < a->n; i++) {
		if (group_set_has(b, a->v[i]))
			cJSON_AddItemToArray(list, cJSON_CreateString(a->v[i]));
	}
	text = json_format(list);
	cJSON_Delete(list);
	*err = -ENOMEM;
	out = text ? group_set_parse(text, err) : NULL;
	free(text);
	return out;
}

static void touch_token(struct call *c, struct token *t, int64_t now)
{
	struct db_batch *b;

	if (now - t->used_at < WRITE_SEEN_MS || !(b = db_batch_new()))
		return;
	t->used_at = now;
	db_add(b, "UPDATE tokens SET used_at = ? WHERE id = ?", "is", now, t->id);
	store_submit(c->api->store, b, NULL, NULL);
}

/* A token can never do more than the account it belongs to can do now. */
static int by_token(struct call *c, const char *text, const char **why)
{
	struct accounts *accounts = store_accounts(c->api->store);
	int64_t now = clock_wall_ms();
	struct actor *a = &c->actor;
	const struct admin *admin;
	struct token *t;
	int err;

	*why = "the token is wrong or has ended";
	if (accounts_hash(text, strlen(text), a->credential))
		return 401;
	t = hmap_find_str(&accounts->tokens, a->credential);
	admin = t ? hmap_find_str(&accounts->admins, t->admin) : NULL;
	if (!admin || (t->expires_at && t->expires_at <= now))
		return 401;
	a->kind = ACTOR_TOKEN;
	a->role = t->role < admin->role ? t->role : admin->role;
	a->groups = common_groups(admin->groups, t->groups, &err);
	if (err)
		return 503;
	snprintf(a->name, sizeof(a->name), "%s", admin->name);
	snprintf(a->token_id, sizeof(a->token_id), "%s", t->id);
	touch_token(c, t, now);
	return 0;
}

static int by_device(struct call *c, const char *text, const char **why)
{
	struct accounts *accounts = store_accounts(c->api->store);
	struct actor *a = &c->actor;
	const struct device_token *t;

	*why = "the device's token is wrong";
	if (accounts_hash(text, strlen(text), a->credential))
		return 401;
	t = hmap_find_str(&accounts->device_tokens, a->credential);
	if (!t || t->is_enrolment || (t->expires_at && t->expires_at <= clock_wall_ms()))
		return 401;
	a->kind = ACTOR_DEVICE;
	snprintf(a->name, sizeof(a->name), "%s", t->device);
	return 0;
}

static const char *bearer(const struct http_head *head)
{
	const char *text = http_head_get(head, "authorization");

	if (!text || strncasecmp(text, "bearer ", 7))
		return NULL;
	text += 7;
	return text + strspn(text, " ");
}

/* Compared by their hashes, which takes as long for any. */
static bool is_metrics_token(const struct api *a, const char *token)
{
	char good[2 * DIGEST_LEN + 1], shown[2 * DIGEST_LEN + 1];

	return a->metrics_token && a->metrics_token[0] &&
	       !accounts_hash(a->metrics_token, strlen(a->metrics_token), good) &&
	       !accounts_hash(token, strlen(token), shown) &&
	       !secret_differs((const uint8_t *)shown, (const uint8_t *)good, sizeof(good));
}

int identify(struct call *c, const char **why)
{
	const struct http_head *head = exchange_head(&c->x);
	const char *token = bearer(head);

	if (c->route->auth == AUTH_NONE)
		return 0;
	*why = "the database has not answered yet";
	if (!store_is_loaded(c->api->store))
		return 503;
	if (c->route->auth == AUTH_DEVICE) {
		*why = "a device's token is missing";
		return token ? by_device(c, token, why) : 401;
	}
	if (token && c->route->takes_metrics_token && is_metrics_token(c->api, token))
		return 0;
	return token ? by_token(c, token, why) : by_session(c, head, why);
}

static bool is_same_set(const struct group_set *a, const struct group_set *b)
{
	if (!a || !b || a->n != b->n)
		return a == b;
	for (size_t i = 0; i < a->n; i++) {
		if (!group_set_has(b, a->v[i]))
			return false;
	}
	return true;
}

static bool has_session(
	const struct api *a, const struct accounts *accounts, const struct actor *actor)
{
	const struct session *s = hmap_find_str(&accounts->sessions, actor->credential);
	const struct admin *admin = s ? hmap_find_str(&accounts->admins, s->admin) : NULL;

	return admin && session_is_good(a, s, clock_wall_ms()) && admin->role == actor->role &&
	       is_same_set(admin->groups, actor->groups);
}

static bool has_token(
	const struct accounts *accounts, const struct actor *actor, const struct route *route)
{
	const struct token *t = hmap_find_str(&accounts->tokens, actor->credential);
	const struct admin *admin = t ? hmap_find_str(&accounts->admins, t->admin) : NULL;
	struct group_set *groups;
	bool is_same;
	int err;

	if (!admin || (t->expires_at && t->expires_at <= clock_wall_ms()) ||
		!(t->scopes >> route->scope & 1) ||
		actor->role != (t->role < admin->role ? t->role : admin->role))
		return false;
	groups = common_groups(admin->groups, t->groups, &err);
	is_same = !err && is_same_set(groups, actor->groups);
	group_set_unref(groups);
	return is_same;
}

bool identify_again(const struct api *a, const struct actor *actor, const struct route *route)
{
	const struct accounts *accounts = store_accounts(a->store);

	if (actor->kind == ACTOR_SESSION)
		return has_session(a, accounts, actor);
	return actor->kind == ACTOR_TOKEN && has_token(accounts, actor, route);
}

bool identify_origin(const struct call *c)
{
	const struct http_head *head = exchange_head(&c->x);
	const char *origin = http_head_get(head, "origin"), *host = http_head_get(head, "host");
	const char *site = http_head_get(head, "sec-fetch-site");

	if (site && strcmp(site, "same-origin") && strcmp(site, "none"))
		return false;
	if (!origin)
		return true;
	/* A form of a page with Referrer-Policy no-referrer (Fetch 3.2): the browser has compared.
	 */
	if (!strcmp(origin, "null"))
		return site && !strcmp(site, "same-origin");
	if (!host || (strncmp(origin, "https://", 8) && strncmp(origin, "http://", 7)))
		return false;
	if (c->x.is_secure && origin[4] != 's')
		return false;
	return !strcasecmp(strstr(origin, "//") + 2, host);
}

int identify_csrf(const struct call *c, const char **why)
{
	const struct http_head *head = exchange_head(&c->x);
	const char *text = http_head_get(head, "x-csrf-token");
	char good[BASE64URL_TEXT + 1];

	if (!strcmp(c->route->method, "GET") || c->actor.kind == ACTOR_TOKEN ||
		c->actor.kind == ACTOR_DEVICE)
		return 0;
	*why = "another site's request";
	if (!identify_origin(c))
		return 403;
	if (c->actor.kind != ACTOR_SESSION)
		return 0;
	*why = "X-CSRF-Token is missing or not this session's";
	if (!text || strlen(text) != BASE64URL_TEXT ||
		session_csrf(&c->api->secret, c->actor.credential, good) ||
		secret_differs((const uint8_t *)text, (const uint8_t *)good, BASE64URL_TEXT))
		return 403;
	return 0;
}
