/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/db.h"
#include "apid/digest.h"
#include "common/hmap.h"

/*
 * Administrators, their sessions and tokens, as the database has them: kept in memory, so that a
 * request is judged without asking it. Followed like every other change.
 */
enum role { ROLE_VIEWER, ROLE_HELPER, ROLE_ADMIN, ROLE_OWNER, ROLES };
const char *role_text(enum role r);
/* All of them, ended by NULL. */
extern const char *const role_texts[ROLES + 1];
/* -EINVAL */
int role_parse(const char *text, enum role *out);

/* Groups that somebody is limited to. Shared and unchanging: counted references. */
struct group_set {
	unsigned refs;
	size_t n;
	char *v[];
};
/* From a JSON array of texts; NULL = no limit, which is also what "null" and NULL mean. *err is set
 * when it is neither. */
struct group_set *group_set_parse(const char *json, int *err);
struct group_set *group_set_ref(struct group_set *g); /* NULL is allowed */
void group_set_unref(struct group_set *g);
/* NULL is no limit; group NULL = no group, which no limit includes. */
bool group_set_has(const struct group_set *g, const char *group);

struct admin {
	char name[65];
	char password[64]; /* bcrypt */
	enum role role;
	struct group_set *groups; /* NULL = all */
	bool has_totp;
};

struct session {
	char hash[2 * DIGEST_LEN + 1];
	char admin[65];
	int64_t created_at, seen_at; /* epoch ms */
	int64_t written_at;	     /* seen_at as the database has it */
};

struct token {
	char id[33];
	char admin[65];
	enum role role;
	unsigned scopes; /* bits of enum scope; shifted by SCOPE_WRITE_SHIFT: also changes */
	struct group_set *groups;
	int64_t expires_at; /* 0 = never */
	int64_t used_at;
};

/* What a token may be for. */
enum scope {
	SCOPE_NONE,
	SCOPE_DEVICES,
	SCOPE_POLICY,
	SCOPE_APPEALS,
	SCOPE_ACCOUNTS,
	SCOPE_SYSTEM,
	SCOPE_METRICS,
	SCOPES
};
enum { SCOPE_WRITE_SHIFT = 8 };
/* "devices" (reads and changes), "devices:read" … */
const char *scope_text(enum scope s);
int scope_parse(const char *text, unsigned *bits);

struct device_token {
	char device[65];
	bool is_enrolment;
	int64_t expires_at; /* 0 = never */
};

struct accounts {
	struct hmap admins;	   /* name → struct admin */
	struct hmap sessions;	   /* hash in hex → struct session */
	struct hmap tokens;	   /* hash in hex → struct token */
	struct hmap device_tokens; /* hash in hex → struct device_token */
};

void accounts_init(struct accounts *a);
void accounts_fini(struct accounts *a);

struct accounts_load {
	size_t admins, sessions, tokens, device_tokens;
	bool with_devices;
};
/* Adds the statements that read it, with_devices: the devices' tokens too; accounts_take replaces
 * what there was. */
void accounts_add(struct db_batch *b, struct accounts_load *l, bool with_devices);
int accounts_take(struct accounts *a, const struct db_batch *b, const struct accounts_load *l);
/* The same for one token of a device. */
size_t accounts_device_add(struct db_batch *b, const char *hash);
int accounts_device_take(
	struct accounts *a, const struct db_batch *b, size_t statement, const char *hash);
/* A device's tokens and links end: accounts_device_end_add in the database, and noted for the other
 * apid; accounts_device_end in memory, once that is committed: all but the one whose hash is
 * except (NULL: all). */
void accounts_device_end_add(struct db_batch *b, const char *device);
void accounts_device_end(struct accounts *a, const char *device, const char *except);

/* Hex of the SHA-256 of what a client shows. */
int accounts_hash(const void *data, size_t len, char out[static 2 * DIGEST_LEN + 1]);
