/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/reach.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

struct reach {
	void (*on_done)(void *arg, bool is_allowed); /* NULL: cancelled */
	void *arg;
};

bool reach_is_needed(struct proxy *p, const struct addr *device)
{
	struct device_view *dev = proxy_device(p, device);

	return !dev || dev->strict || policy_has_lists_by_address_on(p->policy, dev);
}

static void on_reply(void *arg, int status, const cJSON *result)
{
	struct reach *r = arg;
	bool is_allowed =
		!status && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "allowed"));

	if (status)
		log_warning("firewall not asked for an address error=%s", strerror(-status));
	if (r->on_done)
		r->on_done(r->arg, is_allowed);
	free(r);
}

struct reach *reach_start(struct proxy *p, const struct addr *device, const struct addr *to,
	void (*on_done)(void *arg, bool is_allowed), void *arg)
{
	struct reach *r = calloc(1, sizeof(*r));
	cJSON *args = cJSON_CreateObject();
	char text[ADDR_STRLEN];

	if (!r || !args) {
		cJSON_Delete(args);
		free(r);
		return NULL;
	}
	r->on_done = on_done;
	r->arg = arg;
	addr_format(device, text);
	cJSON_AddStringToObject(args, "source", text);
	addr_format(to, text);
	cJSON_AddStringToObject(args, "address", text);
	if (bus_request(p->d->bus, REQUEST_fwd_reach, args, on_reply, r)) {
		free(r);
		return NULL;
	}
	return r;
}

void reach_cancel(struct reach *r)
{
	r->on_done = NULL;
}
