/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/device_request.h"
#include "apid/provision_work.h"

#include <string.h>

static const struct store_actor by_wgd = { .name = "wgd" };

static void fail(struct bus_call *call, enum provision_status status, const char *why)
{
	bus_call_fail(call, status == PROVISION_REFUSED ? "refused" : "later", why);
}

static void on_upserted(void *arg, const struct provision_outcome *outcome)
{
	cJSON *result;

	if (outcome->status != PROVISION_DONE) {
		fail(arg, outcome->status, outcome->why);
		return;
	}
	result = cJSON_CreateObject();
	cJSON_AddBoolToObject(result, "entitled", outcome->entitlement == ENTITLED);
	if (outcome->entitlement != ENTITLED)
		cJSON_AddStringToObject(result, "reason", entitlement_text(outcome->entitlement));
	bus_call_reply(arg, result);
}

static void on_removed(void *arg, const struct provision_outcome *outcome)
{
	if (outcome->status != PROVISION_DONE)
		fail(arg, outcome->status, outcome->why);
	else
		bus_call_reply(arg, NULL);
}

/* Is the device that gateway's, or not there? */
static bool is_own(const struct device_request_of *of, const char *id)
{
	const struct table_row *row = table_find(store_table(of->all->store, TOPIC_devices), id);

	return !row || gateways_of_row(of->gateways, row->text) == of->gateway;
}

static void on_upsert(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	const struct device_request_of *of = arg;
	const struct device_request *r = of->all;
	const struct rec_device_upsert *u = args;
	const struct provision_device device = { .id = u->id,
		.public_key = u->public_key,
		.preshared_key = u->preshared_key,
		.tunnel = u->tunnel,
		.addresses = (const char *const *)u->addresses.v,
		.address_count = u->addresses.n };
	struct provision_request request;
	char why[128];

	(void)caller;
	if (provision_request_check(&device, r->tunnels, r->tunnel_count, &request, why))
		fail(call, PROVISION_REFUSED, why);
	else if (strcmp(request.tunnel->gateway, of->gateway->name) != 0 || !is_own(of, request.id))
		fail(call, PROVISION_REFUSED, "tunnel: of another gateway");
	else
		provision_work(r->store, r->publisher, &request, &by_wgd, on_upserted, call);
	explicit_bzero(&request, sizeof(request));
}

static void on_remove(void *arg, struct bus_call *call, enum bus_daemon caller, const void *args)
{
	const struct device_request_of *of = arg;
	const struct device_request *r = of->all;
	const struct rec_device_remove *d = args;
	struct provision_request request = { .task = PROVISION_REMOVE };

	(void)caller;
	if (!device_id_is_good(d->id)) {
		fail(call, PROVISION_REFUSED, "id: not 1 to 64 of A-Z a-z 0-9 . _ : -");
		return;
	}
	if (!is_own(of, d->id)) {
		fail(call, PROVISION_REFUSED, "id: a device of another gateway");
		return;
	}
	memcpy(request.id, d->id, strlen(d->id) + 1);
	provision_work(r->store, r->publisher, &request, &by_wgd, on_removed, call);
}

int device_request_serve(struct device_request *r, const struct gateways *gateways)
{
	int err = 0;

	for (size_t i = 0; i < gateways->n && !err; i++) {
		struct bus *bus = gateways->v[i].bus;

		r->of[i] = (struct device_request_of){ r, &gateways->v[i], gateways };
		err = bus_serve(bus, REQUEST_apid_device_upsert, on_upsert, &r->of[i]);
		if (!err)
			err = bus_serve(bus, REQUEST_apid_device_remove, on_remove, &r->of[i]);
	}
	return err;
}
