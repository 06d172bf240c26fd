/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/tunnels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_tunnel(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	const struct tunnels_of *of = arg;
	struct tunnels *t = of->all;
	const struct rec_tunnel *r = rec;
	const struct conf_tunnel *conf = tunnel_find(of->conf->tunnels, of->conf->tunnel_count, id);
	struct tunnel_info *info;

	(void)topic;
	(void)owner;
	if (conf && strcmp(conf->gateway, of->gateway->name) != 0)
		return;
	if (!r) {
		hmap_remove_str(&t->by_name, id);
		return;
	}
	info = calloc(1, sizeof(*info));
	if (!info || hmap_set_str(&t->by_name, id, info)) {
		free(info);
		bus_record_lost(of->gateway->bus);
		return;
	}
	snprintf(info->public_key, sizeof(info->public_key), "%s", r->public_key);
	info->port = r->port;
}

static const struct bus_topic_ops ops = { .on_record = on_tunnel };

int tunnels_open(struct tunnels *t, const struct gateways *gateways)
{
	int err = 0;

	hmap_init(&t->by_name, free);
	for (size_t i = 0; i < gateways->n && !err; i++) {
		t->of[i] = (struct tunnels_of){ t, &gateways->v[i], gateways->conf };
		err = bus_subscribe(gateways->v[i].bus, TOPIC_tunnels, BUS_WGD, &ops, &t->of[i]);
	}
	return err;
}

void tunnels_fini(struct tunnels *t)
{
	hmap_fini(&t->by_name);
}

const struct tunnel_info *tunnels_find(const struct tunnels *t, const char *name)
{
	return hmap_find_str(&t->by_name, name);
}

/* "10.9.0.2/32, fd09::2/128" */
static void add_addresses(struct buf *out, const cJSON *list)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list)
		buf_printf(out, "%s%s/%d", item == list->child ? "" : ", ", item->valuestring,
			strchr(item->valuestring, ':') ? 128 : 32);
}

static void add_dns(struct buf *out, const struct conf_tunnel *t)
{
	for (size_t i = 0; i < t->addresses.n; i++) {
		char text[ADDR_STRLEN];

		addr_format(&t->addresses.v[i].addr, text);
		buf_printf(out, "%s%s", i ? ", " : "", text);
	}
}

const char *tunnels_endpoint(const struct api *a, const struct conf_tunnel *t)
{
	return t && *t->endpoint ? t->endpoint : publisher_settings(a->publisher)->endpoint;
}

int tunnels_config(const struct api *a, const cJSON *device, const char *private_key,
	const char *preshared_key, struct buf *out)
{
	const char *name = cJSON_GetStringValue(json_get(device, "tunnel"));
	const struct conf_tunnel *t = name ? tunnel_find(a->tunnels, a->tunnel_count, name) : NULL;
	const struct tunnel_info *info = name ? tunnels_find(a->tunnel_infos, name) : NULL;
	const char *endpoint = tunnels_endpoint(a, t);
	bool is_v6 = endpoint && strchr(endpoint, ':');

	if (!t || !info || !endpoint)
		return -EAGAIN;
	buf_printf(out, "# %s\n[Interface]\n", cJSON_GetStringValue(json_get(device, "id")));
	if (private_key)
		buf_printf(out, "PrivateKey = %s\n", private_key);
	else
		buf_append_str(out, "# PrivateKey = (made on the device)\n");
	buf_append_str(out, "Address = ");
	add_addresses(out, json_get(device, "addresses"));
	buf_append_str(out, "\nDNS = ");
	add_dns(out, t);
	buf_printf(out, "\nMTU = %lld\n\n[Peer]\nPublicKey = %s\n", (long long)t->mtu,
		info->public_key);
	if (preshared_key && preshared_key[0])
		buf_printf(out, "PresharedKey = %s\n", preshared_key);
	buf_printf(out,
		"Endpoint = %s%s%s:%lld\nAllowedIPs = 0.0.0.0/0, ::/0\nPersistentKeepalive = 25\n",
		is_v6 ? "[" : "", endpoint, is_v6 ? "]" : "", (long long)info->port);
	return out->failed;
}
