/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/hmap.h"

/*
 * Names to which the admin gave addresses (topic `dns_records`, SPEC D5): they may lead inside.
 * dnsd answers a name that has a record from the records alone; `*.NAME` stands for every name
 * below NAME that has none of its own.
 */
struct own_names {
	struct bus *bus;
	struct hmap by_id;   /* id → struct own_name */
	struct hmap by_name; /* name → has it an address? Of what is in force */
};

void own_names_init(struct own_names *n);
void own_names_fini(struct own_names *n);
/* Follows the topic from here on. 0 or -errno. */
int own_names_subscribe(struct own_names *n, struct bus *bus);
/* A record of the topic; NULL: the id is gone. -ENOMEM: the former one stays. own_names_index puts
 * changes in force; -ENOMEM: what was stays in force. */
int own_names_set(struct own_names *n, const char *id, const struct rec_dns_record *rec);
int own_names_index(struct own_names *n);
/* host is lower-case text without the final dot. */
bool own_names_has_address(const struct own_names *n, const char *host);
