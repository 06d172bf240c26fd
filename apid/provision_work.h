/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/bus.h"
#include "apid/provision_request.h"
#include "apid/store.h"

/*
 * What a checked request does, whoever made it: the device is written and published, and the answer
 * comes once wgd has it in force, also of a request that changes nothing: who asks again asks for
 * the same thing. A device that wgd refuses is taken back.
 */
enum provision_status {
	PROVISION_DONE,
	PROVISION_REFUSED, /* by the database's or wgd's checks: nothing has changed */
	PROVISION_LATER,   /* database or wgd do not answer: the same request may be made again */
};

struct provision_outcome {
	enum provision_status status;
	const char *why;	      /* PROVISION_DONE: NULL; valid during the call */
	enum entitlement entitlement; /* PROVISION_DONE of an upsert */
};

/* on_done is called once, perhaps before this returns. */
void provision_work(struct store *s, struct publisher *p, const struct provision_request *request,
	const struct store_actor *by,
	void (*on_done)(void *arg, const struct provision_outcome *outcome), void *arg);
