/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/hmap.h"
#include "dnsd/message.h"

/*
 * The admin's own records (topic `dns_records`, SPEC D5): A AAAA CNAME TXT PTR NS MX SRV CAA. A
 * name that has one is answered from here alone; `*.NAME` stands for every name below NAME that has
 * none of its own.
 */
#define RECORD_TTL_S 300 /* of a record that names none */

struct record {
	struct record *next;	     /* of the same name */
	struct record *next_indexed; /* the same of what is being indexed */
	uint16_t type;
	uint32_t ttl_s;
	char name[NAME_TEXT_MAX + 2]; /* lower-case text, perhaps with "*." */
	struct name target;	      /* of a CNAME */
	size_t len;
	uint8_t rdata[];
};

struct records {
	struct hmap by_id;	/* id → struct record */
	struct hmap by_name;	/* name → its first record, of what is in force */
	struct record *retired; /* by next_indexed: no more in by_id, and still in force */
	bool has_wildcards;
};

void records_init(struct records *r);
void records_fini(struct records *r);
/* A record of the topic; NULL: the id is gone. -EINVAL: unusable, the former one goes. -ENOMEM: the
 * former one stays. records_index puts changes in force; -ENOMEM: what was stays in force. */
int records_set(struct records *r, const char *id, const struct rec_dns_record *rec);
int records_index(struct records *r);
/* The records of a name (lower-case text); NULL when there are none. */
const struct record *records_find(const struct records *r, const char *name, size_t len);
/* Its alias; NULL when it has none. */
const struct record *record_alias(const struct record *first);
