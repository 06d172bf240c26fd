/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/device_body.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct body_field fields[] = {
	{ .name = "addresses",
		.type = BODY_TEXTS,
		.max = 2,
		.help = "in the tunnel, at most one of each family; absent: those it has, or free "
			"ones" },
	{ .name = "public_key",
		.type = BODY_TEXT,
		.max = PUBLIC_KEY_LEN,
		.is_good = public_key_is_good,
		.form = "is not a WireGuard key",
		.pattern = "^[A-Za-z0-9+/]{43}=$",
		.help = "absent: the one it has" },
	{ 0 },
};
static const char *const without[] = { "addresses", NULL };
const struct body_schema device_schema = {
	.name = "Device",
	.fields = fields,
	.is_record = true,
	.record = REC_device,
	.record_without = without,
	.record_fill = "{\"addresses\":[]}",
	.example = "{\"id\":\"phone\",\"name\":\"Phone\",\"group\":\"kids\",\"active\":true,"
		   "\"addresses\":[\"10.9.0.2\",\"fd09::2\"]}",
};

static const char *const own_columns[] = { "id", "tunnel", "addresses", "public_key", NULL };

/* The fields that have no column of their own. */
static char *rest_of(const cJSON *json)
{
	cJSON *copy = cJSON_Duplicate(json, true);
	char *text;

	for (size_t i = 0; copy && own_columns[i]; i++)
		cJSON_DeleteItemFromObjectCaseSensitive(copy, own_columns[i]);
	text = copy ? json_format(copy) : NULL;
	cJSON_Delete(copy);
	return text;
}

/* ---- addresses ---- */

static bool is_free(const struct api *a, const struct conf_tunnel *t, const struct addr *at)
{
	return !tunnel_refuses(t, at) && !store_device_at(a->store, at);
}

static struct addr with_host(const struct prefix *net, uint32_t host)
{
	struct addr out = prefix_network(net).addr;
	size_t len = addr_len(&out);

	for (size_t i = 0; i < 4; i++)
		out.bytes[len - 1 - i] |= (uint8_t)(host >> (8 * i));
	return out;
}

/* How many host numbers there are, at most 2^20: no search takes longer. */
static uint32_t host_count(const struct prefix *net)
{
	unsigned bits = (unsigned)addr_len(&net->addr) * 8 - net->len;

	return bits >= 20 ? 1u << 20 : 1u << bits;
}

/* Both families get the same host number. */
static int allocate(
	const struct api *a, const struct conf_tunnel *t, uint32_t *host, struct device_state *d)
{
	const struct prefix *v4 = tunnel_network(t, AF_INET), *v6 = tunnel_network(t, AF_INET6);
	uint32_t n = host_count(v4 ? v4 : v6);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = (*host + 1 + i) % n;
		struct addr first = with_host(v4 ? v4 : v6, at), second;

		if (!is_free(a, t, &first))
			continue;
		d->addresses[0] = first;
		d->address_count = 1;
		if (v4 && v6) {
			second = tunnel_v6_of(t, &first);
			if (!is_free(a, t, &second))
				continue;
			d->addresses[d->address_count++] = second;
		}
		*host = at;
		return 0;
	}
	return -ENOSPC;
}

static int parse_addresses(const struct conf_tunnel *t, const cJSON *list, struct device_state *d,
	struct body_error *err)
{
	unsigned seen = 0;
	const cJSON *item;

	d->address_count = 0;
	cJSON_ArrayForEach (item, list) {
		struct addr *a = &d->addresses[d->address_count];
		const char *why = addr_parse(item->valuestring, a) ? "holds what is no address"
								   : tunnel_refuses(t, a);
		char text[120];

		if (!why && (seen & (a->family == AF_INET ? 1u : 2u)))
			why = "has two of one family";
		if (why) {
			snprintf(text, sizeof(text), "%.50s: %.60s", item->valuestring, why);
			return body_wrong(err, "/addresses", text);
		}
		seen |= a->family == AF_INET ? 1u : 2u;
		d->address_count++;
	}
	return 0;
}

/* Are all addresses the tunnel's? */
static bool fit(const struct conf_tunnel *t, const struct device_state *d)
{
	for (size_t i = 0; i < d->address_count; i++) {
		if (tunnel_refuses(t, &d->addresses[i]))
			return false;
	}
	return d->address_count;
}

/* ---- all of it ---- */

static const struct conf_tunnel *choose_tunnel(
	const struct api *a, const cJSON *json, const struct device_state *d)
{
	const char *name = cJSON_GetStringValue(json_get(json, "tunnel"));
	const struct conf_tunnel *t;

	if (!name && d->tunnel[0])
		name = d->tunnel;
	if (name)
		return tunnel_find(a->tunnels, a->tunnel_count, name);
	t = tunnel_find(a->tunnels, a->tunnel_count, "mitm");
	return t || !a->tunnel_count ? t : &a->tunnels[0];
}

static int check_names(const struct api *a, const cJSON *json, struct body_error *err)
{
	const char *group = cJSON_GetStringValue(json_get(json, "group"));
	const char *user = cJSON_GetStringValue(json_get(json, "user"));

	if (group && !table_find(store_table(a->store, TOPIC_groups), group))
		return body_wrong(err, "/group", "is no group");
	if (user && !table_find(store_table(a->store, TABLE_users), user))
		return body_wrong(err, "/user", "is no user");
	return 0;
}

int device_body_apply(const struct api *a, const cJSON *json, struct device_state *d,
	uint32_t *host, struct body_error *err)
{
	const struct conf_tunnel *t = choose_tunnel(a, json, d);
	const cJSON *addresses = json_get(json, "addresses");
	const char *key = cJSON_GetStringValue(json_get(json, "public_key"));
	int r;

	if (!t)
		return body_wrong(err, "/tunnel", "is no tunnel of this gateway");
	r = check_names(a, json, err);
	if (!r && addresses && cJSON_GetArraySize(addresses))
		r = parse_addresses(t, addresses, d, err);
	else if (!r && !fit(t, d))
		r = allocate(a, t, host, d);
	if (r)
		return r;
	d->exists = true;
	snprintf(d->tunnel, sizeof(d->tunnel), "%s", t->name);
	if (key && strcmp(key, d->public_key)) {
		snprintf(d->public_key, sizeof(d->public_key), "%s", key);
		d->preshared_key[0] = '\0'; /* it was agreed with the one who had the other key */
	}
	free(d->record);
	d->record = rest_of(json);
	return d->record ? 0 : -ENOMEM;
}
