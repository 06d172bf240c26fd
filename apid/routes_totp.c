/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/deed.h"
#include "apid/identify.h"
#include "apid/login.h"
#include "apid/qr.h"
#include "apid/routes.h"
#include "apid/totp.h"
#include "common/random.h"
#include "common/timer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One's own second factor and password. */

enum { RECOVERY_CODES = 10 };

/* ---- setting TOTP up: begin gives a seed, confirm proves that the app has it ---- */

static int begin_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;
	uint8_t seed[TOTP_SECRET_LEN], sealed[TOTP_SECRET_LEN + SEAL_OVERHEAD];
	int err;

	if (number == 0) {
		d->row = db_add(b, LOGIN_ROW, "s", d->c->actor.name);
		return 1;
	}
	if (!db_batch_rows(b, d->row)->n)
		return -ENOENT;
	if (atoi(db_cell(db_batch_rows(b, d->row), 0, 2)))
		return -EEXIST;
	err = random_bytes(NULL, seed, sizeof(seed)) ? -EIO : 0;
	if (!err)
		err = secret_seal(&d->c->api->secret, d->c->actor.name, seed, sizeof(seed), sealed);
	totp_base32(seed, d->secret);
	explicit_bzero(seed, sizeof(seed));
	if (!err)
		db_add(b, "UPDATE admins SET totp_seed = ?, totp_step = 0 WHERE name = ?", "bs",
			sealed, sizeof(sealed), d->c->actor.name);
	return err;
}

static void answer_seed(struct deed *d)
{
	cJSON *json = cJSON_CreateObject();
	char uri[256], *qr;

	snprintf(uri, sizeof(uri), "otpauth://totp/Culvert:%.64s?secret=%.32s&issuer=Culvert",
		d->c->actor.name, d->secret);
	qr = qr_svg(uri);
	cJSON_AddStringToObject(json, "secret", d->secret);
	cJSON_AddStringToObject(json, "uri", uri);
	cJSON_AddStringToObject(json, "qr", qr ? qr : "");
	free(qr);
	call_json(d->c, 200, json);
	explicit_bzero(uri, sizeof(uri));
}

static void handle_begin(struct call *c)
{
	struct deed *d = deed_new(c, begin_step, answer_seed);

	if (!d)
		return;
	d->conflict = "it is set up already: disable it first";
	deed_start(d);
}

/* Ten codes into codes (JSON, for the answer) and their hashes (JSON, for the database). */
static int make_recovery(char **codes, char **hashes)
{
	cJSON *plain = cJSON_CreateArray(), *hashed = cJSON_CreateArray();
	int err = 0;

	for (int i = 0; i < RECOVERY_CODES && !err; i++) {
		char text[BASE64URL_LEN(12) + 1], hash[2 * DIGEST_LEN + 1];
		uint8_t raw[12];

		err = random_bytes(NULL, raw, sizeof(raw)) ? -EIO : 0;
		base64url_format(raw, sizeof(raw), text);
		if (!err)
			err = accounts_hash(text, strlen(text), hash);
		cJSON_AddItemToArray(plain, cJSON_CreateString(text));
		cJSON_AddItemToArray(hashed, cJSON_CreateString(hash));
	}
	*codes = json_format(plain);
	*hashes = json_format(hashed);
	cJSON_Delete(plain);
	cJSON_Delete(hashed);
	return !err && (!*codes || !*hashes) ? -ENOMEM : err;
}

static int confirm_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;
	const char *code = json_get(d->c->body, "totp")->valuestring;
	const char *user = d->c->actor.name;
	const struct db_rows *rows;
	uint8_t seed[TOTP_SECRET_LEN];
	char *hashes = NULL;
	int64_t step = 0;
	int err;

	if (number == 0) {
		d->row = db_add(b, LOGIN_ROW, "s", user);
		return 1;
	}
	rows = db_batch_rows(b, d->row);
	if (!rows->n || !db_cell(rows, 0, 1) ||
		db_cell_len(rows, 0, 1) != TOTP_SECRET_LEN + SEAL_OVERHEAD)
		return -ENOENT;
	if (atoi(db_cell(rows, 0, 2)))
		return -EEXIST;
	err = secret_unseal(&d->c->api->secret, user, (const uint8_t *)db_cell(rows, 0, 1),
		db_cell_len(rows, 0, 1), seed);
	if (!err && totp_check(seed, code, clock_wall_ms(), 0, &step))
		err = -EPERM;
	explicit_bzero(seed, sizeof(seed));
	if (!err)
		err = make_recovery(&d->text, &hashes);
	if (!err) {
		db_add(b,
			"UPDATE admins SET totp_enabled = 1, totp_step = ?, recovery = ? WHERE "
			"name = ?",
			"iss", step, hashes, user);
		write_audit(b, &d->by, "totp_enable", user, NULL, NULL);
	}
	free(hashes);
	return err;
}

static void answer_codes(struct deed *d)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddItemToObject(json, "recovery_codes", json_parse(d->text, strlen(d->text)));
	call_json(d->c, 200, json);
}

static void handle_confirm(struct call *c)
{
	struct deed *d = deed_new(c, confirm_step, answer_codes);

	if (!d)
		return;
	d->conflict = "it is set up already";
	deed_start(d);
}

/* ---- what needs the password once more ---- */

static void on_checked(void *arg, bool is_match)
{
	struct deed *d = arg;
	struct call *c = d->c;
	void (*next)(struct deed * d) = d->answer;

	d->answer = NULL;
	if (is_match) {
		lockout_clear(&c->api->lockout, d->name, strlen(d->name));
		next(d);
	} else {
		call_problem(c, 403, "the password is wrong");
	}
	exchange_end_work(&c->x);
}

/* Calls next when the body's password is the account's. */
static void prove(struct call *c, store_step step, void (*next)(struct deed *d))
{
	struct deed *d = deed_new(c, step, next);
	const struct admin *admin =
		hmap_find_str(&store_accounts(c->api->store)->admins, c->actor.name);
	unsigned wait;

	if (!d)
		return;
	snprintf(d->name, sizeof(d->name), "own %.60s", c->actor.name);
	for (char *p = d->name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	wait = lockout_left(&c->api->lockout, d->name, strlen(d->name));
	if (wait) {
		call_problem_later(c, 429, "too many wrong passwords", wait);
		return;
	}
	lockout_fail(&c->api->lockout, d->name, strlen(d->name));
	exchange_begin_work(&c->x);
	if (!password_check(&c->api->passwords, json_get(c->body, "password")->valuestring,
		    admin ? admin->password : NULL, on_checked, d))
		return;
	lockout_undo(&c->api->lockout, d->name, strlen(d->name));
	call_problem_later(c, 503, "too many logins at once", 1);
	exchange_end_work(&c->x);
}

static int disable_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;

	(void)number;
	db_add(b,
		"UPDATE admins SET totp_enabled = 0, totp_seed = NULL, recovery = NULL WHERE name "
		"= ?",
		"s", d->c->actor.name);
	write_audit(b, &d->by, "totp_disable", d->c->actor.name, NULL, NULL);
	return 0;
}

static void handle_disable(struct call *c)
{
	prove(c, disable_step, deed_start);
}

static int password_step(void *arg, struct db_batch *b, unsigned number)
{
	struct deed *d = arg;
	const char *user = d->c->actor.name;

	(void)number;
	db_add(b, "UPDATE admins SET password = ?, password_at = ? WHERE name = ?", "sis",
		d->password, clock_wall_ms(), user);
	db_add(b, "DELETE FROM sessions WHERE admin = ? AND hash <> ?", "ss", user,
		d->c->actor.credential);
	if (cJSON_IsTrue(json_get(d->c->body, "revoke_tokens")))
		db_add(b, "DELETE FROM tokens WHERE admin = ?", "s", user);
	write_audit(b, &d->by, "password_change", user, NULL, NULL);
	return 0;
}

static void hash_new(struct deed *d)
{
	deed_start_with(d, json_get(d->c->body, "new")->valuestring);
}

static void handle_password(struct call *c)
{
	prove(c, password_step, hash_new);
}

/* ---- routes ---- */

static const struct body_field seed_fields[] = {
	{ .name = "secret", .type = BODY_TEXT, .is_read_only = true, .max = 64, .help = "Base32" },
	{ .name = "uri", .type = BODY_TEXT, .is_read_only = true, .max = 256 },
	{ .name = "qr", .type = BODY_TEXT, .is_read_only = true, .max = 1 << 20, .help = "SVG" },
	{ 0 },
};
static const struct body_schema seed_schema = { .name = "TotpSeed",
	.fields = seed_fields,
	.example = "{\"secret\":\"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\",\"uri\":\"otpauth://totp/"
		   "Culvert:anna?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Culvert\",\"qr"
		   "\":\"<svg>…</svg>\"}" };
static const struct body_field code_fields[] = {
	{ .name = "totp", .type = BODY_TEXT, .is_required = true, .min = 6, .max = 6 },
	{ 0 },
};
static const struct body_schema code_schema = {
	.name = "TotpCode", .fields = code_fields, .example = "{\"totp\":\"123456\"}"
};
static const struct body_field recovery_fields[] = {
	{ .name = "recovery_codes",
		.type = BODY_TEXTS,
		.is_read_only = true,
		.max = 10,
		.help = "each is good once in place of a code; told once" },
	{ 0 },
};
static const struct body_schema recovery_schema = { .name = "RecoveryCodes",
	.fields = recovery_fields,
	.example = "{\"recovery_codes\":[\"eX3J6HSQHodEnhWy\",\"D8yCfpWdidDuhySF\"]}" };
static const struct body_field proof_fields[] = {
	{ .name = "password", .type = BODY_TEXT, .is_required = true, .max = 1024 },
	{ 0 },
};
static const struct body_schema proof_schema = { .name = "Proof",
	.fields = proof_fields,
	.example = "{\"password\":\"correct horse battery\"}" };
static const struct body_field password_fields[] = {
	{ .name = "password",
		.type = BODY_TEXT,
		.is_required = true,
		.max = 1024,
		.help = "the present one" },
	{ .name = "new",
		.type = BODY_TEXT,
		.is_required = true,
		.max = 1024,
		.is_good = password_is_good,
		.form = PASSWORD_FORM },
	{ .name = "revoke_tokens",
		.type = BODY_BOOL,
		.help = "ends the account's tokens too, which else go on" },
	{ 0 },
};
static const struct body_schema password_schema = { .name = "PasswordChange",
	.fields = password_fields,
	.example = "{\"password\":\"correct horse battery\",\"new\":\"a battery of horses\"}" };

#define ROUTE(m, p)                                                                                \
	.method = m, .path = p, .front = FRONT_ADMIN, .auth = AUTH_SESSION, .roles = BY_ALL,       \
	.body_max = 4096, .tag = "auth"

static const struct route routes[] = {
	{ ROUTE("POST", "/auth/totp/begin"), .response = &seed_schema, .status = 200,
		.summary = "Begin to set up one-time passwords", .handle = handle_begin },
	{ ROUTE("POST", "/auth/totp/confirm"), .request = &code_schema,
		.response = &recovery_schema, .status = 200,
		.summary = "Prove that the app has the seed: from now on it is asked for",
		.handle = handle_confirm },
	{ ROUTE("POST", "/auth/totp/disable"), .request = &proof_schema, .status = 204,
		.summary = "Ask for no one-time password any more", .handle = handle_disable },
	{ ROUTE("POST", "/auth/password"), .request = &password_schema, .status = 204,
		.summary = "Another password; ends the other sessions", .handle = handle_password },
};

struct route_set routes_totp(void)
{
	return (struct route_set){ routes, sizeof(routes) / sizeof(routes[0]) };
}
