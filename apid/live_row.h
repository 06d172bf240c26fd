/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/list_names.h"
#include "apid/live_verdict.h"
#include "apid/store.h"

/* One row of the live view: a DNS query or a web request of a device, as dnsd and proxyd tell it
 * (SPEC D10, P16: the device's privacy was applied there). */
struct live_row {
	char device[65], group[65]; /* group "" = none */
	char host[1025];	    /* "" = not told; lower case */
	char list[65];		    /* id of the list that decided, "" = none */
	enum live_verdict verdict;
	bool is_dns;
	int64_t at, bytes;
	char *text; /* JSON object */
	size_t len;
};

/* What the rows are made with. */
struct live_source {
	const struct store *store;
	const struct list_names *lists;
	uint64_t id; /* of the last row */
};

/* 0 with r filled; -ENOENT: of a device that there is not; -EINVAL: no row; -ENOMEM. */
int live_row_query(struct live_source *s, const struct rec_dns_query *q, struct live_row *r);
int live_row_access(struct live_source *s, const struct rec_access *a, struct live_row *r);
void live_row_fini(struct live_row *r);
