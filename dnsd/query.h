/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "dnsd/dnsd.h"

/* One query; on the stack while it can be answered at once (query.c), else in the pool
 * (query_wait.c). */
struct query {
	struct list node; /* of dnsd.free */
	struct forward_waiter waiter;
	struct dnsd *dnsd;
	struct reply_to to;
	struct message_query message;
	struct question question; /* the same, its name in lower case; or its alias */
	uint32_t alias_ttl_s;
	bool is_alias, is_asked; /* question is an alias; it was put to upstream */
	bool is_renewal;	 /* a walled device asks for a renewal host */
	struct client *client;	 /* of the device; NULL for system. Referenced in the pool */
};

static inline struct cache_key query_key(const struct query *q)
{
	return (struct cache_key){
		.question = &q->question,
		.dnssec_ok = q->message.edns.dnssec_ok,
		.checking_disabled = q->message.flags & FLAG_CD,
	};
}

/* query_wait.c: copies it into the pool until upstream has answered. -EBUSY when the client, or
 * everybody, has too many under way. */
int query_wait(const struct query *asked);
/* query.c: what upstream said, or that it did not. */
void query_answer_late(struct query *q, const struct forward_result *r);
