/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/hold.h"

#include "dnsd/addresses.h"
#include "dnsd/block.h"
#include "dnsd/share.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct held {
	struct feeder_wait wait;
	struct feeder *feeder;
	struct reply_to to;
	struct message_query query;
	struct client *client; /* referenced */
	struct addr *addresses;
	size_t len;
	uint8_t answer[];
};

struct collect {
	struct feeder *feeder;
	const struct device_view *device;
	struct hold_plan *plan;
};

/* The device has no way to others. */
static bool has_family(const struct device_view *v, int family)
{
	for (size_t i = 0; i < v->address_count; i++) {
		if (v->addresses[i].family == family)
			return true;
	}
	return false;
}

static bool on_address(void *arg, const struct addr *a, uint32_t ttl_s)
{
	struct collect *c = arg;
	struct feeder_entry e = { c->plan->kind, *a,
		c->plan->kind == FEED_KIND_STRICT ? c->device->id : "", ttl_s };

	if (!addr_is_destination(a) || !has_family(c->device, a->family))
		return true;
	if (c->plan->count == FEEDER_ADDRESSES_MAX) {
		c->plan->overflow = true;
		return false;
	}
	c->plan->addresses[c->plan->count++] = *a;
	c->plan->is_known &= feeder_add(c->feeder, &e);
	return true;
}

bool hold_plan(struct feeder *f, const struct device_view *v, bool renewal, const uint8_t *stored,
	size_t len, struct hold_plan *out)
{
	struct collect c = { f, v, out };

	out->kind = renewal ? FEED_KIND_RENEWAL : FEED_KIND_STRICT;
	out->count = 0;
	out->is_known = true;
	out->overflow = false;
	addresses_each(stored, len, on_address, &c);
	return !out->is_known || out->overflow;
}

static void send_held(struct held *h, const uint8_t *answer, size_t len)
{
	size_t cap;
	uint8_t *out = reply_begin(&h->to, &cap);

	if (!out)
		return;
	if (answer && len <= cap)
		memcpy(out, answer, len);
	else
		len = block_write_rcode(&h->query, RCODE_SERVFAIL, EDE_NOT_READY,
			"the firewall has not confirmed the addresses", out, cap);
	reply_end(&h->to, len);
}

static void on_done(struct feeder_wait *w, bool confirmed)
{
	struct held *h = container_of(w, struct held, wait);

	if (!h->feeder->closing)
		send_held(h, confirmed ? h->answer : NULL, h->len);
	list_remove(&h->to.node);
	h->client->held--;
	client_unref(h->client);
	free(h->addresses);
	free(h);
}

static void take_reply(struct held *h, struct reply_to *to)
{
	h->to = *to;
	/* A TCP client knows of a pooled query already; ours stands in its place. */
	list_init(&h->to.node);
	if (to->tcp && !list_is_empty(&to->node)) {
		list_add(&to->node, &h->to.node);
		list_remove(&to->node);
	} else {
		reply_hold(&h->to);
	}
	to->tcp = NULL;
	to->udp = NULL;
}

static bool has_room(const struct feeder *f, const struct client *c)
{
	unsigned left = FEEDER_WAITS_MAX - (unsigned)f->wait_count;

	return c->held < share_of(left, CLIENT_UNDER_WAY_MAX);
}

int hold_start(struct feeder *f, const struct hold_plan *p, struct client *client,
	const struct message_query *query, struct reply_to *to, const uint8_t *answer, size_t len)
{
	size_t bytes = p->count * sizeof(struct addr);
	struct held *h;

	if (p->overflow || !has_room(f, client))
		return p->overflow ? -E2BIG : -EBUSY;
	h = calloc(1, sizeof(*h) + len);
	if (!h)
		return -ENOMEM;
	h->addresses = malloc(bytes);
	if (!h->addresses) {
		free(h);
		return -ENOMEM;
	}
	h->feeder = f;
	memcpy(h->addresses, p->addresses, bytes);
	memcpy(h->answer, answer, len);
	h->len = len;
	h->query = *query;
	h->client = client;
	list_init(&h->to.node);
	h->wait = (struct feeder_wait){ .kind = p->kind,
		.who = p->kind == FEED_KIND_STRICT ? client->id : "",
		.addresses = h->addresses,
		.count = p->count,
		.on_done = on_done };
	int rc = feeder_wait(f, &h->wait);
	if (rc) {
		free(h->addresses);
		free(h);
		return rc;
	}
	client_ref(client)->held++;
	take_reply(h, to);
	return 0;
}
