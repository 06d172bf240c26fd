/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/provision_work.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct work {
	struct store *store;
	struct publisher *publisher;
	struct provision_request request;
	struct store_actor by;
	struct device_state before;
	int64_t seq;
	enum entitlement entitlement;
	char why[160];
	void (*on_done)(void *arg, const struct provision_outcome *outcome);
	void *arg;
};

static void end(struct work *w, enum provision_status status, const char *why)
{
	const struct provision_outcome outcome = { status, why, w->entitlement };

	w->on_done(w->arg, &outcome);
	free(w->before.record);
	explicit_bzero(w, sizeof(*w));
	free(w);
}

static void on_restored(void *arg, const struct store_result *result)
{
	struct work *w = arg;

	if (result->status)
		log_error("a refused device could not be taken back id=%s", w->request.id);
	end(w, PROVISION_REFUSED, w->why);
}

static int restore(void *arg, const struct device_state *now, struct device_state *wanted)
{
	struct work *w = arg;

	(void)now;
	free(wanted->record);
	*wanted = w->before;
	w->before.record = NULL; /* taken over */
	return 0;
}

/* Where the device was before. A gateway that does not answer is told of, and not waited for. */
static void on_left(void *arg, int status, const char *why)
{
	(void)why;
	if (status)
		end(arg, PROVISION_LATER, "the gateway that had the device does not answer");
	else
		end(arg, PROVISION_DONE, NULL);
}

static void await_leaving(struct work *w)
{
	const char *now = w->request.task == PROVISION_UPSERT ? w->request.tunnel->name : "";

	if (!w->before.exists || !*now ||
		publisher_same_gateway(w->publisher, now, w->before.tunnel))
		end(w, PROVISION_DONE, NULL);
	else
		publisher_await_peer(
			w->publisher, w->before.tunnel, w->seq, w->request.id, NULL, on_left, w);
}

static void on_peer(void *arg, int status, const char *why)
{
	struct work *w = arg;

	if (status == -EPERM) {
		snprintf(w->why, sizeof(w->why), "refused: %s", why);
		log_notice("wgd refused a device id=%s reason=%s", w->request.id, why);
		store_change(w->store, w->request.id, &w->by, restore, on_restored, w);
	} else if (status) {
		end(w, PROVISION_LATER, "wgd does not answer");
	} else {
		await_leaving(w);
	}
}

static void on_stored(void *arg, const struct store_result *result)
{
	struct work *w = arg;
	bool is_upsert = w->request.task == PROVISION_UPSERT;

	if (result->status == -EEXIST) {
		end(w, PROVISION_REFUSED, result->why);
		return;
	}
	if (result->status) {
		end(w, PROVISION_LATER, "the database does not answer");
		return;
	}
	w->before = *result->before;
	if (w->before.record && !(w->before.record = strdup(w->before.record))) {
		end(w, PROVISION_LATER, "no memory");
		return;
	}
	w->entitlement = result->entitlement;
	if (result->changed)
		log_info("device %s id=%s", is_upsert ? "provisioned" : "removed", w->request.id);
	w->seq = result->seq;
	publisher_await_peer(w->publisher, is_upsert ? w->request.tunnel->name : w->before.tunnel,
		result->seq, w->request.id, is_upsert ? w->request.public_key : NULL, on_peer, w);
}

/* What the request does not know stays: the other fields, and the preshared key with the same
 * public key, unless the request knows that there is none. */
static int decide(void *arg, const struct device_state *before, struct device_state *wanted)
{
	const struct work *w = arg;
	const struct provision_request *r = &w->request;

	wanted->exists = r->task == PROVISION_UPSERT;
	if (!wanted->exists)
		return 0;
	snprintf(wanted->tunnel, sizeof(wanted->tunnel), "%s", r->tunnel->name);
	memcpy(wanted->public_key, r->public_key, sizeof(wanted->public_key));
	if (r->preshared_known || r->preshared_key[0] || strcmp(before->public_key, r->public_key))
		memcpy(wanted->preshared_key, r->preshared_key, sizeof(wanted->preshared_key));
	memcpy(wanted->addresses, r->addresses, sizeof(r->addresses));
	wanted->address_count = r->address_count;
	return 0;
}

void provision_work(struct store *s, struct publisher *p, const struct provision_request *r,
	const struct store_actor *by,
	void (*on_done)(void *arg, const struct provision_outcome *outcome), void *arg)
{
	struct work *w = malloc(sizeof(*w));

	if (!w) {
		on_done(arg, &(struct provision_outcome){ PROVISION_LATER, "no memory", 0 });
		return;
	}
	*w = (struct work){
		.store = s, .publisher = p, .request = *r, .by = *by, .on_done = on_done, .arg = arg
	};
	store_change(s, r->id, by, decide, on_stored, w);
}
