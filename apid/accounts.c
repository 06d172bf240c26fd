/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/accounts.h"
#include "common/json.h"
#include "common/log.h"
#include "common/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const role_texts[ROLES + 1] = { "viewer", "helper", "admin", "owner", NULL };
static const char *const scope_texts[SCOPES] = { "", "devices", "policy", "appeals", "accounts",
	"system", "metrics" };

const char *role_text(enum role r)
{
	return role_texts[r];
}

int role_parse(const char *text, enum role *out)
{
	for (int i = 0; i < ROLES; i++) {
		if (!strcmp(role_texts[i], text)) {
			*out = (enum role)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *scope_text(enum scope s)
{
	return scope_texts[s];
}

int scope_parse(const char *text, unsigned *bits)
{
	size_t len = strcspn(text, ":");

	for (int i = SCOPE_NONE + 1; i < SCOPES; i++) {
		if (strlen(scope_texts[i]) != len || strncmp(scope_texts[i], text, len))
			continue;
		if (text[len] && strcmp(text + len, ":read"))
			break;
		*bits |= 1u << i;
		if (!text[len])
			*bits |= 1u << (i + SCOPE_WRITE_SHIFT);
		return 0;
	}
	return -EINVAL;
}

/* ---- groups ---- */

struct group_set *group_set_parse(const char *json, int *err)
{
	cJSON *list = json ? json_parse(json, strlen(json)) : NULL;
	struct group_set *g;
	const cJSON *item;

	*err = 0;
	if (!json || cJSON_IsNull(list)) {
		cJSON_Delete(list);
		return NULL;
	}
	g = calloc(1, sizeof(*g) + ((size_t)cJSON_GetArraySize(list) + 1) * sizeof(g->v[0]));
	*err = !g ? -ENOMEM : cJSON_IsArray(list) ? 0 : -EINVAL;
	if (g)
		g->refs = 1;
	cJSON_ArrayForEach (item, list) {
		if (*err)
			break;
		g->v[g->n] = cJSON_IsString(item) ? strdup(item->valuestring) : NULL;
		if (g->v[g->n])
			g->n++;
		else
			*err = cJSON_IsString(item) ? -ENOMEM : -EINVAL;
	}
	cJSON_Delete(list);
	if (*err) {
		group_set_unref(g);
		return NULL;
	}
	return g;
}

struct group_set *group_set_ref(struct group_set *g)
{
	if (g)
		g->refs++;
	return g;
}

void group_set_unref(struct group_set *g)
{
	if (!g || --g->refs)
		return;
	for (size_t i = 0; i < g->n; i++)
		free(g->v[i]);
	free(g);
}

bool group_set_has(const struct group_set *g, const char *group)
{
	if (!g)
		return true;
	for (size_t i = 0; group && i < g->n; i++) {
		if (!strcmp(g->v[i], group))
			return true;
	}
	return false;
}

/* ---- life ---- */

static void admin_free(void *value)
{
	struct admin *a = value;

	group_set_unref(a->groups);
	explicit_bzero(a->password, sizeof(a->password));
	free(a);
}

static void token_free(void *value)
{
	struct token *t = value;

	group_set_unref(t->groups);
	free(t);
}

void accounts_init(struct accounts *a)
{
	hmap_init(&a->admins, admin_free);
	hmap_init(&a->sessions, free);
	hmap_init(&a->tokens, token_free);
	hmap_init(&a->device_tokens, free);
}

void accounts_fini(struct accounts *a)
{
	hmap_fini(&a->admins);
	hmap_fini(&a->sessions);
	hmap_fini(&a->tokens);
	hmap_fini(&a->device_tokens);
}

int accounts_hash(const void *data, size_t len, char out[static 2 * DIGEST_LEN + 1])
{
	uint8_t sum[DIGEST_LEN];
	int err = digest_sha256(data, len, sum);

	if (!err)
		digest_format(sum, out);
	return err;
}

/* ---- reading ---- */

#define SELECT_DEVICE_TOKENS "SELECT hash, device, kind, expires_at FROM device_tokens"

void accounts_add(struct db_batch *b, struct accounts_load *l, bool with_devices)
{
	l->with_devices = with_devices;
	l->admins = db_add(
		b, "SELECT name, password, role, allowed_groups, totp_enabled FROM admins", "");
	l->sessions = db_add(b, "SELECT hash, admin, created_at, seen_at FROM sessions", "");
	l->tokens = db_add(b,
		"SELECT hash, id, admin, role, scopes, allowed_groups, expires_at, used_at FROM "
		"tokens",
		"");
	if (with_devices)
		l->device_tokens = db_add(b, SELECT_DEVICE_TOKENS, "");
}

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static int64_t number(const char *text)
{
	return text ? atoll(text) : 0;
}

/* value is freed when the map does not take it. */
static int put(struct hmap *m, const char *key, void *value)
{
	int err = hmap_set_str(m, key, value);

	if (err)
		m->free_value(value);
	return err;
}

static int take_admin(struct accounts *a, const struct db_rows *r, size_t i)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int err;

	if (!admin)
		return -ENOMEM;
	copy(admin->name, sizeof(admin->name), db_cell(r, i, 0));
	copy(admin->password, sizeof(admin->password), db_cell(r, i, 1));
	admin->groups = group_set_parse(db_cell(r, i, 3), &err);
	admin->has_totp = number(db_cell(r, i, 4));
	if (role_parse(db_cell(r, i, 2), &admin->role) || err) {
		log_error("administrator is unusable in the database name=%s", admin->name);
		admin_free(admin);
		return err == -ENOMEM ? err : 0;
	}
	return put(&a->admins, admin->name, admin);
}

static int take_session(struct accounts *a, const struct db_rows *r, size_t i)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	copy(s->hash, sizeof(s->hash), db_cell(r, i, 0));
	copy(s->admin, sizeof(s->admin), db_cell(r, i, 1));
	s->created_at = number(db_cell(r, i, 2));
	s->seen_at = s->written_at = number(db_cell(r, i, 3));
	return put(&a->sessions, s->hash, s);
}

static int parse_scopes(const char *json, unsigned *bits)
{
	cJSON *list = json ? json_parse(json, strlen(json)) : NULL;
	int err = cJSON_IsArray(list) ? 0 : -EINVAL;
	const cJSON *item;

	cJSON_ArrayForEach (item, list) {
		if (!err)
			err = cJSON_IsString(item) ? scope_parse(item->valuestring, bits) : -EINVAL;
	}
	cJSON_Delete(list);
	return err;
}

static int take_token(struct accounts *a, const struct db_rows *r, size_t i)
{
	struct token *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	copy(t->id, sizeof(t->id), db_cell(r, i, 1));
	copy(t->admin, sizeof(t->admin), db_cell(r, i, 2));
	t->groups = group_set_parse(db_cell(r, i, 5), &err);
	t->expires_at = number(db_cell(r, i, 6));
	t->used_at = number(db_cell(r, i, 7));
	if (role_parse(db_cell(r, i, 3), &t->role) || err ||
		parse_scopes(db_cell(r, i, 4), &t->scopes)) {
		log_error("token is unusable in the database id=%s", t->id);
		token_free(t);
		return err == -ENOMEM ? err : 0;
	}
	return put(&a->tokens, db_cell(r, i, 0), t);
}

static int take_device_token(struct accounts *a, const struct db_rows *r, size_t i)
{
	struct device_token *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	copy(t->device, sizeof(t->device), db_cell(r, i, 1));
	t->is_enrolment = !strcmp(db_cell(r, i, 2), "enrolment");
	t->expires_at = number(db_cell(r, i, 3));
	return put(&a->device_tokens, db_cell(r, i, 0), t);
}

static int take_all(struct accounts *a, const struct db_rows *rows,
	int (*take)(struct accounts *a, const struct db_rows *r, size_t i))
{
	int err = 0;

	for (size_t i = 0; i < rows->n && !err; i++)
		err = take(a, rows, i);
	return err;
}

/* The database hears only now and then that a session is in use. */
static void keep_seen(struct accounts *next, const struct accounts *old)
{
	hmap_foreach (&next->sessions, it) {
		struct session *s = it.value;
		const struct session *o = hmap_find(&old->sessions, it.key, it.len);

		if (o && o->seen_at > s->seen_at)
			s->seen_at = o->seen_at;
	}
}

int accounts_take(struct accounts *a, const struct db_batch *b, const struct accounts_load *l)
{
	struct accounts next;
	int err;

	accounts_init(&next);
	err = take_all(&next, db_batch_rows(b, l->admins), take_admin);
	if (!err)
		err = take_all(&next, db_batch_rows(b, l->sessions), take_session);
	if (!err)
		err = take_all(&next, db_batch_rows(b, l->tokens), take_token);
	if (!err && l->with_devices)
		err = take_all(&next, db_batch_rows(b, l->device_tokens), take_device_token);
	if (err) {
		accounts_fini(&next);
		return err;
	}
	keep_seen(&next, a);
	if (!l->with_devices) {
		struct hmap unused = next.device_tokens;

		next.device_tokens = a->device_tokens;
		a->device_tokens = unused;
	}
	accounts_fini(a);
	*a = next;
	return 0;
}

size_t accounts_device_add(struct db_batch *b, const char *hash)
{
	return db_add(b, SELECT_DEVICE_TOKENS " WHERE hash = ?", "s", hash);
}

int accounts_device_take(
	struct accounts *a, const struct db_batch *b, size_t statement, const char *hash)
{
	const struct db_rows *rows = db_batch_rows(b, statement);

	if (rows->n)
		return take_device_token(a, rows, 0);
	hmap_remove_str(&a->device_tokens, hash);
	return 0;
}

void accounts_device_end_add(struct db_batch *b, const char *device)
{
	db_add(b,
		"INSERT IGNORE INTO changes (seq, topic, id, at) SELECT s.seq, 'device_tokens', "
		"t.hash, ? FROM change_seq s JOIN device_tokens t ON t.device = ?",
		"is", clock_wall_ms(), device);
	db_add(b, "DELETE FROM device_tokens WHERE device = ?", "s", device);
}

void accounts_device_end(struct accounts *a, const char *device, const char *except)
{
	hmap_foreach (&a->device_tokens, it) {
		const struct device_token *t = it.value;

		if (!strcmp(t->device, device) && (!except || strcmp(it.key, except)))
			hmap_remove(&a->device_tokens, it.key, it.len);
	}
}
