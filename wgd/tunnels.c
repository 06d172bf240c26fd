/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/wgd.h"

#include "common/json.h"
#include "common/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 100 }; /* without memory */

static cJSON *tunnel_record(const struct wgd *w, size_t i)
{
	const struct conf_tunnel *conf = w->tunnels[i].conf;
	char key[WG_KEY_BASE64_LEN + 1];
	cJSON *o = cJSON_CreateObject();
	wg_key_format(&w->peer_tunnels[i].public_key, key);
	bool whole = cJSON_AddStringToObject(o, "name", conf->name) &&
		     cJSON_AddStringToObject(o, "public_key", key) &&
		     cJSON_AddNumberToObject(o, "port", (double)conf->port) &&
		     cJSON_AddStringToObject(o, "interface", conf->interface);
	cJSON *addresses = cJSON_AddArrayToObject(o, "addresses");
	for (size_t a = 0; a < conf->addresses.n; a++) {
		char text[PREFIX_STRLEN];
		prefix_format(&conf->addresses.v[a], text);
		whole = whole && json_push(addresses, cJSON_CreateString(text));
	}
	return json_whole(o, whole && addresses);
}

int wgd_publish_tunnels(struct wgd *w)
{
	const char **ids = calloc(w->tunnel_count + 1, sizeof(*ids));
	cJSON **records = calloc(w->tunnel_count + 1, sizeof(*records));
	int err = ids && records ? 0 : -ENOMEM;
	for (size_t i = 0; i < w->tunnel_count && !err; i++) {
		ids[i] = w->tunnels[i].conf->name;
		records[i] = tunnel_record(w, i);
	}
	if (!err)
		err = bus_state_replace(
			w->daemon->bus, TOPIC_tunnels, ids, records, w->tunnel_count);
	free(ids);
	free(records);
	return err;
}

void wgd_publish_tunnel(struct wgd *w, size_t i)
{
	const char *name = w->tunnels[i].conf->name;
	int err = bus_state_set(w->daemon->bus, TOPIC_tunnels, name, tunnel_record(w, i));
	if (!err || w->closing || timer_is_active(&w->unpublished))
		return;
	log_error("tunnel not published yet name=%s error=%s", name, strerror(-err));
	timer_start(&w->unpublished, RETRY_MS, 0);
}

void wgd_on_unpublished(struct timer *t)
{
	struct wgd *w = t->data;
	if (wgd_publish_tunnels(w))
		timer_start(t, RETRY_MS, 0);
	else
		log_notice("tunnels published");
}
