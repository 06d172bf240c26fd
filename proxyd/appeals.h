/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/codec.h"
#include "common/list.h"
#include "proxyd/appeal_token.h"
#include "proxyd/proxy.h"

/*
 * Appeals of devices (SPEC P8, S5): handed to the durable queue, which has them on disk before
 * appeals_add returns and keeps them until they are confirmed; and what became of them, as far as
 * it is known here: what this instance sent or has in its spool, and the topic `appeal_answers`.
 */
struct appeals;

struct appeal {
	const char *url, *host; /* host: without port, as in targets */
	enum appeal_mode mode;
	const char *category_id, *reason; /* "" = none */
	const char *device_id;
	int64_t time_ms; /* wall clock */
	char uuid[UUID_LEN];
};

/* One of a device's, in a ring of appeals_of. */
struct appeal_entry {
	struct list node; /* the device's, oldest first */
	struct list local_node;
	struct appeal_device *owner;
	char uuid[UUID_LEN];
	char *host;
	int64_t time_ms; /* 0 = not known */
	enum review_status status;
	char *answer; /* "" = none */
};

/* After the bus is there. NULL: no memory, or the key is unusable (logged). */
struct appeals *appeals_open(struct proxy *p);
/* When nobody calls any more: after the loop. NULL is allowed. */
void appeals_free(struct appeals *a);

const struct appeal_key *appeals_key(const struct appeals *a);
/* One more from that device now? At most appeals_per_hour, of all processes together as far as the
 * bus tells them; each call counts. */
bool appeals_may_add(struct appeals *a, const char *device_id);
/* 0: it is on disk, or was before (the same uuid). -ENOSPC when there is no room for more, or
 * -errno. */
int appeals_add(struct appeals *a, const struct appeal *appeal);
/* The device's entries (struct appeal_entry); NULL = none. */
const struct list *appeals_of(const struct appeals *a, const char *device_id);
