/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/call.h"

/*
 * The second step of a login, a transaction: the password was right. Checks the account once more,
 * and the one-time password, and makes a session.
 */
struct login {
	struct call *c;
	char user[65], code[65]; /* code "" = none was given */
	char checked[64];	 /* the hash that the password was right for */
	char value[256];	 /* of the cookie, once it is made */
	char hash[2 * DIGEST_LEN + 1];
	char brought[2 * DIGEST_LEN + 1]; /* the session that the new one replaces; "" = none */
	char known[BASE64URL_TEXT +
		   1]; /* number of a browser that logged in before; "" = it did not */
	size_t row;    /* statement */
	bool used_recovery;
};

/* store_step. -ENOKEY a code is needed; -EACCES the code is wrong or was used; -ESRCH the account
 * is not what it was. */
int login_step(void *arg, struct db_batch *b, unsigned number);
/* The cookies of the session that was made, to be sent with the answer. */
void login_add_cookies(const struct login *l, struct http_head *extra);
/* The answer after a login: who one is, and the cookies. */
void login_answer(const struct login *l);
extern const struct body_schema account_schema;
/* A name that an account may have. */
enum { ADMIN_NAME_MAX = 64 };
bool admin_name_is_good(const char *text);
#define ADMIN_NAME_FORM "holds others than A-Z a-z 0-9 . _ @ + -"
/* {"name":…,"role":…,"groups":…,"totp":…}; NULL when there is no such account. */
cJSON *login_account(const struct api *a, const char *user);
/* The same of what the database says. groups NULL = all. */
cJSON *login_account_json(
	const char *name, const char *role, const struct group_set *groups, bool has_totp);
/* A code against an account's row: password, totp_seed, totp_enabled, totp_step, recovery. Adds the
 * statements that use it up. 0, -ENOKEY, -EACCES, -errno. */
int login_check_code(const struct api *a, const char *user, const char *code,
	const struct db_rows *rows, struct db_batch *b, bool *used_recovery);
#define LOGIN_ROW                                                                                  \
	"SELECT password, totp_seed, totp_enabled, totp_step, recovery FROM admins WHERE name = ?"
