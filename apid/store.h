/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/accounts.h"
#include "apid/api_keys.h"
#include "apid/bus.h"
#include "apid/db.h"
#include "apid/provision_request.h"
#include "apid/seed.h"
#include "apid/table.h"
#include "apid/write.h"

/*
 * What apid keeps in MariaDB: reads it whole whenever the connection stands, keeps it in tables in
 * memory, follows what other apid processes change, and changes it. Every change is one
 * transaction. Of several apid on one database the one that holds the database's lock publishes.
 */
struct store;

struct store_options {
	struct db_options db; /* its callbacks are the store's own */
	const char *api_key;  /* NULL = none; becomes the key named `file` */
	/* The seed does not fit what the database holds at the first start: nothing was changed. */
	void (*on_bad_seed)(void *arg);
	/* Everything was read from the database; also again later. May be NULL. */
	void (*on_loaded)(void *arg);
	/* A record changed, whoever changed it. May be NULL. */
	void (*on_change)(void *arg, const char *topic, const char *id);
	void *arg;
};

/* seed may be NULL; taken over. It is written once the database is ready if it differs from the one
 * that was written last. */
struct store *store_open(uv_loop_t *loop, struct publisher *p, const struct store_options *options,
	struct seed *seed);
void store_close(struct store *s);
void store_free(struct store *s); /* after the loop has ended */
/* Writes the seed, whether it has changed or not; taken over. Of several that come while one is
 * being written only the last is written. */
void store_seed(struct store *s, struct seed *seed);
/* Is the database there, with its set-up done? */
bool store_is_ready(const struct store *s);
/* Was everything read once? Before that the tables are empty. */
bool store_is_loaded(const struct store *s);
/* Does this process publish? */
bool store_is_publisher(const struct store *s);
/* Another first key; written with the next set-up, which begins now when it differs. */
void store_set_api_key(struct store *s, const char *api_key);
/* NULL until they are known: the database has not answered yet. */
const struct api_keys *store_api_keys(const struct store *s);

/* The tables: the kept topics of the bus, and what is not published. */
enum { TABLE_users = BUS_TOPICS, TABLES };
/* By the name of the topic; TABLES when there is none. */
int store_table_find(const char *name);
const char *store_table_name(int table);
const struct table *store_table(const struct store *s, int table);
/* Administrators, sessions, tokens. */
struct accounts *store_accounts(struct store *s);
/* W4 for a device as it is published; NOT_ENTITLED_INVALID when there is none. */
enum entitlement store_entitlement(const struct store *s, const char *id);
/* Which device has that address in a tunnel? NULL = none. */
const char *store_device_at(const struct store *s, const struct addr *a);

/* Submits a batch that writes (or must see what was just written); on_done as db_submit, with
 * -ECANCELED after store_close. */
void store_submit(struct store *s, struct db_batch *b, db_on_done on_done, void *arg);
/* The same for one that only reads: another connection. */
void store_read(struct store *s, struct db_batch *b, db_on_done on_done, void *arg);

/*
 * A transaction about accounts (topic "accounts", id ""), a device's token ("device_tokens", its
 * hash) or the keys of provisioning ("api_keys", ""). step is called after the lock is had, with
 * number 0, 1 …: it adds statements to b and returns 1 to be called again once they are through, 0
 * when all writes are added: the transaction is committed, and what is kept in memory read again.
 * A negative status ends all, nothing is changed. on_done: 0 or the status.
 */
typedef int (*store_step)(void *arg, struct db_batch *b, unsigned number);
void store_transact(struct store *s, const char *topic, const char *id, store_step step,
	void (*on_done)(void *arg, int status), void *arg);

/* A device: what provisioning is about, and the rest as a record. */
struct device_state {
	bool exists;
	char tunnel[33]; /* "" = none */
	struct addr addresses[8];
	size_t address_count;
	char public_key[PUBLIC_KEY_LEN + 1];	/* "" = none */
	char preshared_key[PUBLIC_KEY_LEN + 1]; /* "" = none */
	char *record; /* the other fields, JSON; NULL = a new device's. Freed with free() */
};

struct store_result {
	int status; /* 0; -EEXIST: why says whose; what decide returned; others: try again later */
	const char *why;
	bool changed; /* something was written */
	/* Status 0: its number; when nothing changed that of the last change before, which may be
	 * on its way to the bus. */
	int64_t seq;
	const struct device_state *before; /* status 0 */
	enum entitlement entitlement;	   /* status 0, the device exists now */
};

/*
 * Changes one device in one transaction. decide sees it as it is and fills wanted, which is a copy
 * of it at first (exists false: removes it); a status other than 0 ends all, nothing is changed.
 * on_done is called once, from the loop or from within.
 */
typedef int (*store_decide_device)(
	void *arg, const struct device_state *before, struct device_state *wanted);
void store_change(struct store *s, const char *id, const struct store_actor *by,
	store_decide_device decide, void (*on_done)(void *arg, const struct store_result *result),
	void *arg);
/* As the API shows it: a JSON object with id; NULL without memory or when it does not exist. */
cJSON *store_device_json(const char *id, const struct device_state *d);

/*
 * Changes one record of another table in one transaction. decide sees it (old: JSON, NULL = none)
 * and gives what it shall be (*out: malloc'ed JSON, NULL = removed); a status other than 0 ends
 * all. on_done: 0 with the text in force (NULL = removed), what decide returned, or -errno: -EBUSY
 * with what uses the record that was to go (or the one of that id before it, store_uses.h); -EINVAL
 * with what it names and there is no more, or NULL.
 */
typedef int (*store_decide)(void *arg, const char *old, char **out);
void store_edit(struct store *s, int table, const char *id, const struct store_actor *by,
	store_decide decide, void (*on_done)(void *arg, int status, const char *text), void *arg);
/* Removes it, whatever uses it: that is closed (a website without its category is blocked) until
 * it is changed, and no record of that id is made before. */
void store_drop(struct store *s, int table, const char *id, const struct store_actor *by,
	void (*on_done)(void *arg, int status, const char *text), void *arg);

/*
 * One transaction that changes any number of records of other tables than the devices', and what
 * else the database holds. step is called after the lock is had, with number 0, 1 …: it adds
 * statements to b and returns 1 to be called again once they are through, 0 when all is added. What
 * it gave to store_work_set is then written, noted and audited. A negative status ends all, nothing
 * is changed. on_done: 0 or the status; -EINVAL, -EEXIST and the like also from the database;
 * -ESTALE: what a record names was removed a moment ago. What uses a record that is to go is the
 * step's to look for (store_uses.h).
 */
struct store_work;
typedef int (*store_work_step)(
	void *arg, struct store_work *w, struct db_batch *b, unsigned number);
/* deadline_ms 0: as for other changes. */
void store_work(struct store *s, const struct store_actor *by, uint32_t deadline_ms,
	store_work_step step, void (*on_done)(void *arg, int status), void *arg);
/* Shall be that text, NULL = removed; each record once. Copied. -ENOMEM. */
int store_work_set(struct store_work *w, int table, const char *id, const char *text);
/*
 * Devices of such a transaction: store_device_add adds the statements that read one, with the lock
 * had; store_device_state tells what they gave (exists false: there is none; -ENOMEM);
 * store_work_device says what it shall be; copied. Another device's key or address: on_done gets
 * -EEXIST.
 */
struct store_device_rows {
	size_t device, addresses;
};
void store_device_add(struct db_batch *b, const char *id, struct store_device_rows *rows);
int store_device_state(
	const struct db_batch *b, const struct store_device_rows *rows, struct device_state *out);
int store_device_copy(const struct device_state *from, struct device_state *to);
void store_device_fini(struct device_state *d);
bool store_device_is_same(const struct device_state *a, const struct device_state *b);
int store_work_device(struct store_work *w, const char *id, const struct device_state *before,
	const struct device_state *wanted);
/* Something that is in no table changed too: for on_change of every apid. topic is a constant. */
void store_work_note(struct store_work *w, const char *topic, const char *id);
