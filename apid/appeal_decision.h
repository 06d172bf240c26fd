/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/appeal_store.h"
#include "apid/body.h"

/*
 * The decision of an appeal (A6), once: one transaction of the appeal's row, what it brings about
 * (a website rule or an override for the device), the answer that the device sees, the audit.
 */

struct appeal_decision {
	const char *uuid;
	enum review_status status; /* approved or rejected */
	/* An object that fits appeal_decision_schema; NULL = empty. */
	const cJSON *body;
	/* May who decides do this? NULL = yes. What is not seen is not there. device NULL: of no
	 * device; to_all: its effect is for everybody. 0, -ENOENT or -EPERM. */
	int (*may)(void *arg, const char *device, bool to_all);
	/* Is there such a category, here or in Directus? */
	bool (*has_category)(void *arg, const char *id);
	void *arg; /* of both; they are called until on_done is */
};
extern const struct body_schema appeal_decision_schema;

struct appeal_outcome {
	int status;	 /* 0; -ENOENT no such appeal; -EEXIST it is decided otherwise; -EINVAL with
			    err; -EPERM; others: try again */
	bool is_decided; /* by this call, not before */
	struct body_error err;
};
void appeal_decide(struct store *s, const struct store_actor *by, const struct appeal_decision *d,
	void (*on_done)(void *arg, const struct appeal_outcome *outcome), void *arg);
