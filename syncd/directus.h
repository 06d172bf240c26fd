/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "syncd/directus_unit.h"

/*
 * The policy that Directus holds (S1, S3, S6): looked at every poll_s, and read where it has
 * changed; read whole every full_s, whatever the stamps say. What cannot be read keeps its last
 * good state. One round at a time, one question at a time.
 */
struct directus_ops {
	/* The topic's records, all of them (id → cJSON; what is taken out is the callee's), read
	 * from monotonic ms begun_at on; 0: some rows could not be used. */
	void (*on_records)(
		void *arg, enum bus_topic topic, struct hmap *records, uint64_t begun_at);
	/* A record that was read, before on_records: may get another id. */
	void (*on_row)(void *arg, enum mapping_part part, char id[static 132], cJSON *record);
	/* The list's text, malloc'ed and the callee's. -ENOMEM: it is read again. */
	int (*on_list)(void *arg, const char *id, uint8_t *text, size_t len);
	/* A collection is in the group for the first time. */
	void (*on_list_new)(void *arg, const char *id);
	/* -ENOMEM: it is told again. */
	int (*on_list_gone)(void *arg, const char *id);
	/* A round that looked at everything is through; whole: it read everything. */
	void (*on_round)(void *arg, bool whole);
	/* Something new is wrong. */
	void (*on_alarm)(void *arg, const char *what, const char *detail);
	/* Something is held until it is confirmed, or no longer. */
	void (*on_held)(void *arg);
};

struct directus_conf {
	unsigned poll_s, full_s, page;
	unsigned part_poll_s[PARTS]; /* 0 = poll_s */
	const struct conf_strings
		*sni_sources; /* collections and fields of sni_block; empty: the mapping's */
	size_t text_max;      /* bytes of a list */
	/* so many percent, and so many rows, may always be missing: directus_brake.h */
	uint64_t removal_limit, removal_rows;
	struct mapping mapping;
};

struct directus {
	struct directus_client client;
	struct directus_conf conf;
	const struct directus_ops *ops;
	void *arg;
	struct directus_unit **units;
	size_t count;
	struct timer timer;
	bool closing, busy;
	bool again, full; /* another round is wanted, and one that reads everything */
	bool hinted;	  /* one that looks at the units that are marked so */
	bool hinted_all;  /* one that looks at all: the hint's collection is none of them */
	bool told_empty;  /* the parts without a collection */
	uint64_t full_at; /* monotonic ms of the last whole one, 0 = none */
	uint64_t poll_at; /* … when everything is looked at again */
	cJSON *rows;	  /* what the last good readings had */
	char *rows_path;
	bool rows_changed;
	int rows_err;
	/* the round under way */
	bool round_full, round_hint, round_all; /* all: also what is not due */
	uint64_t round_at;			/* monotonic ms of its start */
	size_t at;
	unsigned part;
	struct directus_read read;
	/* how it stands */
	char error[192]; /* "" = the last round was good */
	unsigned failures;
	int64_t good_at; /* epoch ms, 0 = never */
	uint64_t rounds;
};

/* -EINVAL: no URL; -ENOMEM. */
int directus_open(struct directus *d, const struct directus_conf *conf, const char *state_dir,
	const struct directus_access *access, uv_loop_t *loop, struct resolver *resolver,
	struct tls_ctx *tls, const struct directus_ops *ops, void *arg);
void directus_start(struct directus *d);
/* Looks now; full: reads everything. */
void directus_sync(struct directus *d, bool full);
/* Something has changed, in that collection as is said (NULL: in whichever): it is looked at now. A
 * hint: what it does not tell of is found by the next poll, which it does not put off. */
void directus_hint(struct directus *d, const char *collection);
/* An administrator says that what is missing is gone: a list that is looked for in vain, or what
 * directus_brake.h holds back. False: nothing waits for that. */
bool directus_confirm(struct directus *d, const char *id);
/* Is that a list of Directus? */
bool directus_has_list(const struct directus *d, const char *id);
/* A list that was read in an earlier run: it is Directus' until Directus says otherwise. -ENOMEM.
 */
int directus_add_list(struct directus *d, const char *id);
/* The unit is read again in the next round. */
void directus_forget(struct directus *d, const char *id);
/* How it stands, for the status. */
void directus_report(const struct directus *d, cJSON *status);
void directus_close(struct directus *d);
/* After the loop's end. */
void directus_fini(struct directus *d);
