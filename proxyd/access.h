/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/policy.h"
#include "common/policy/watches.h"
#include "proxyd/access_log.h"
#include "proxyd/tally.h"

/*
 * What devices do, told (SPEC P16): by counters every few seconds; each request and connection by
 * itself, at its end, on the bus while somebody watches the device or all are logged, and in the
 * access log where there is one. A device's privacy holds for all of it: none is not told of at
 * all, counts by counters, domains with the registrable domain and without what it was, full with
 * the whole URL.
 */
struct proxy;

struct accesses {
	struct watches watches;
	struct tally tally;
	struct access_log *log;
	uint64_t told; /* events since the start */
};

/* 0 or -errno; accesses_close in any case. */
int accesses_open(struct proxy *p);
/* Sends and writes what is there. */
void accesses_close(struct proxy *p);
void accesses_fini(struct proxy *p);
/* The log's file is another one, or was moved away (SIGHUP). */
void accesses_reload(struct proxy *p);
void accesses_report(const struct proxy *p, cJSON *status);

/* One request or connection, from its beginning to its end; embedded in its owner's object. Zeroed,
 * it is one of which nothing is told. */
enum access_verdict {
	ACCESS_NONE, /* not judged: it is not told */
	ACCESS_ALLOW,
	ACCESS_DENY,
	ACCESS_UNKNOWN, /* not reviewed, and denied for it */
};

struct access {
	uint64_t began;	 /* loop time, ms */
	uint64_t device; /* hash of its id: by the end the address may be another device's */
	char *rule;	 /* owned, NULL: none; behind its comma stands what privacy may hide */
	char list[65];	 /* id of the list that denied it, "" = none */
	enum access_verdict verdict;
	bool has_failed; /* allowed, and came to nothing */
};

void access_begin(struct access *a, const struct proxy *p, const struct addr *device);
/* Is the address still the device's that it had begun for? What is open is nobody else's. */
bool access_is_its(const struct access *a, const struct proxy *p, const struct addr *device);
/* The policy's word; the last one counts. */
void access_judge(struct access *a, const struct proxy *p, const struct decision *d);
/* Denied by something else than the policy; why is a few words. */
void access_refuse(struct access *a, const struct proxy *p, const char *why);

struct access_facts {
	const struct addr *device;
	const char *method;
	const char *version; /* "1.0", "1.1", "2.0"; NULL: no HTTP was seen */
	const char *host;    /* "" or NULL: not known */
	uint16_t port;
	bool is_https;
	const char *path; /* and query; NULL: there is none (CONNECT) */
	int status;	  /* of the answer, 0 = none */
	uint64_t bytes;	  /* to the device */
};
/* It is over: told, once. The memory that it held is freed. */
void access_end(struct access *a, struct proxy *p, const struct access_facts *f);
/* It is over, and nothing is told. */
void access_drop(struct access *a);
