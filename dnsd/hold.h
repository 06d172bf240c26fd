/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/directory.h"
#include "dnsd/clients.h"
#include "dnsd/feeder.h"
#include "dnsd/message.h"
#include "dnsd/reply.h"

/* Answers that wait until fwd lets the device reach what they lead to (SPEC F10, and renewal hosts
 * of F2). */
struct hold_plan {
	enum feed_kind kind;
	struct addr addresses[FEEDER_ADDRESSES_MAX];
	size_t count;
	bool is_known; /* fwd has all of them */
	bool overflow;
};
/* Feeds what the stored answer (answer.h) hands out. Must it be held? */
bool hold_plan(struct feeder *f, const struct device_view *v, bool renewal, const uint8_t *stored,
	size_t len, struct hold_plan *out);
/* Keeps a copy of the finished answer and sends it when fwd has confirmed; SERVFAIL otherwise. to
 * is taken over. -EBUSY (the device, or everybody, has too many that wait), -ENOMEM: nothing was
 * taken. */
int hold_start(struct feeder *f, const struct hold_plan *p, struct client *client,
	const struct message_query *query, struct reply_to *to, const uint8_t *answer, size_t len);
