/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/provision_request.h"
#include "common/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_MODE "mitm"

static int refuse(char why[static 128], const char *field, const char *text)
{
	snprintf(why, 128, "%s: %s", field, text);
	return -EINVAL;
}

bool device_id_is_good(const char *id)
{
	size_t len =
		strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

	return len && len <= DEVICE_ID_MAX && !id[len];
}

static int base64_value(char c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

bool public_key_is_good(const char *text)
{
	int sum = 0;

	if (strlen(text) != PUBLIC_KEY_LEN || text[PUBLIC_KEY_LEN - 1] != '=')
		return false;
	for (int i = 0; i < PUBLIC_KEY_LEN - 1; i++) {
		int value = base64_value(text[i]);

		if (value < 0)
			return false;
		sum |= value;
	}
	/* 43 digits are 258 bits; the last two must be zero, else two texts mean one key. */
	return sum && !(base64_value(text[PUBLIC_KEY_LEN - 2]) & 3);
}

const struct prefix *tunnel_network(const struct conf_tunnel *t, int family)
{
	for (size_t i = 0; i < t->addresses.n; i++) {
		if (t->addresses.v[i].addr.family == family)
			return &t->addresses.v[i];
	}
	return NULL;
}

/* Are the host bits all equal to ones (0 or 0xff)? */
static bool host_bits_are(const struct addr *a, unsigned prefix_len, uint8_t ones)
{
	for (unsigned bit = prefix_len; bit < addr_len(a) * 8; bit++) {
		if ((a->bytes[bit / 8] ^ ones) & (0x80 >> bit % 8))
			return false;
	}
	return true;
}

const char *tunnel_refuses(const struct conf_tunnel *t, const struct addr *a)
{
	const struct prefix *in = NULL;

	for (size_t i = 0; i < t->addresses.n; i++) {
		if (addr_equal(&t->addresses.v[i].addr, a))
			return "is the gateway's";
		if (prefix_contains(&t->addresses.v[i], a))
			in = &t->addresses.v[i];
	}
	if (!in)
		return "not in the tunnel's network";
	if (in->len + 1u >= addr_len(a) * 8)
		return NULL;
	if (host_bits_are(a, in->len, 0))
		return "is the network's own";
	if (a->family == AF_INET && host_bits_are(a, in->len, 0xff))
		return "is the broadcast address";
	return NULL;
}

/* The IPv6 address with the host number that v4 has in its network. */
static struct addr derive_v6(
	const struct prefix *v4_net, const struct addr *v4, const struct prefix *v6_net)
{
	struct addr out = prefix_network(v6_net).addr;

	for (unsigned i = 0; i < 4; i++) {
		unsigned keep = v4_net->len > i * 8 ? v4_net->len - i * 8 : 0;
		uint8_t mask = keep >= 8 ? 0 : 0xff >> keep;

		out.bytes[12 + i] |= v4->bytes[i] & mask;
	}
	return out;
}

struct addr tunnel_v6_of(const struct conf_tunnel *t, const struct addr *v4)
{
	return derive_v6(tunnel_network(t, AF_INET), v4, tunnel_network(t, AF_INET6));
}

static int add_address(const char *text, struct provision_request *out, char why[static 128])
{
	struct prefix p;
	const char *bad;

	if (prefix_parse(text, &p) || p.len != addr_len(&p.addr) * 8)
		return refuse(why, "address", "not one address");
	for (size_t i = 0; i < out->address_count; i++) {
		if (out->addresses[i].family == p.addr.family)
			return refuse(why, "address", "two of one family");
	}
	bad = tunnel_refuses(out->tunnel, &p.addr);
	if (bad)
		return refuse(why, "address", bad);
	out->addresses[out->address_count++] = p.addr;
	return 0;
}

static int parse_address(const cJSON *value, struct provision_request *out, char why[static 128])
{
	if (!cJSON_IsString(value))
		return refuse(why, "address", "not a string");
	return add_address(value->valuestring, out, why);
}

/* IPv4 comes first, and must be there where the tunnel has it. */
static int order_addresses(struct provision_request *out, char why[static 128])
{
	if (out->address_count == 2 && out->addresses[0].family == AF_INET6) {
		struct addr v6 = out->addresses[0];

		out->addresses[0] = out->addresses[1];
		out->addresses[1] = v6;
	}
	if (tunnel_network(out->tunnel, AF_INET) && out->addresses[0].family != AF_INET)
		return refuse(why, "address", "the IPv4 address is missing");
	return 0;
}

static int complete_addresses(struct provision_request *out, char why[static 128])
{
	const struct prefix *v4_net = tunnel_network(out->tunnel, AF_INET);
	const struct prefix *v6_net = tunnel_network(out->tunnel, AF_INET6);
	const char *bad;

	if (out->address_count == 2 || !v6_net || !v4_net)
		return 0;
	out->addresses[1] = derive_v6(v4_net, &out->addresses[0], v6_net);
	bad = tunnel_refuses(out->tunnel, &out->addresses[1]);
	if (bad)
		return refuse(why, "address: the IPv6 address that belongs to it", bad);
	out->address_count = 2;
	return 0;
}

static int parse_addresses(const cJSON *value, struct provision_request *out, char why[static 128])
{
	const cJSON *item;
	int r = 0;

	if (!value)
		return refuse(why, "address", "missing");
	if (!cJSON_IsArray(value)) {
		r = parse_address(value, out, why);
	} else {
		cJSON_ArrayForEach (item, value) {
			r = parse_address(item, out, why);
			if (r)
				break;
		}
		if (!r && !out->address_count)
			return refuse(why, "address", "empty");
	}
	if (!r)
		r = order_addresses(out, why);
	return r ? r : complete_addresses(out, why);
}

const struct conf_tunnel *tunnel_find(const struct conf_tunnel *tunnels, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(tunnels[i].name, name))
			return &tunnels[i];
	}
	return NULL;
}

static int parse_upsert(const cJSON *body, const struct conf_tunnel *tunnels, size_t n,
	struct provision_request *out, char why[static 128])
{
	const cJSON *key = json_get(body, "publicKey");
	const cJSON *mode = json_get(body, "mode");

	if (!key)
		return refuse(why, "publicKey", "missing");
	if (!cJSON_IsString(key) || !public_key_is_good(key->valuestring))
		return refuse(why, "publicKey", "not a WireGuard key");
	memcpy(out->public_key, key->valuestring, sizeof(out->public_key));
	if (mode && !cJSON_IsString(mode))
		return refuse(why, "mode", "not a string");
	out->tunnel = tunnel_find(tunnels, n, mode ? mode->valuestring : DEFAULT_MODE);
	if (!out->tunnel)
		return refuse(why, "mode", "no such tunnel");
	return parse_addresses(json_get(body, "address"), out, why);
}

static int parse_task(const cJSON *task, struct provision_request *out, char why[static 128])
{
	if (!task)
		return refuse(why, "task", "missing");
	if (!cJSON_IsString(task))
		return refuse(why, "task", "not a string");
	if (!strcmp(task->valuestring, "wg_upsert"))
		out->task = PROVISION_UPSERT;
	else if (!strcmp(task->valuestring, "wg_remove"))
		out->task = PROVISION_REMOVE;
	else
		return refuse(why, "task", "neither wg_upsert nor wg_remove");
	return 0;
}

static int check_fields(const cJSON *body, char why[static 128])
{
	static const char *const known[] = { "task", "id", "publicKey", "address", "mode" };
	const cJSON *item;

	cJSON_ArrayForEach (item, body) {
		bool is_known = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			is_known |= !strcmp(known[i], item->string);
		if (!is_known)
			return refuse(why, "body", "a field that wg_upsert and wg_remove have not");
	}
	return 0;
}

static int parse_body(const cJSON *body, const struct conf_tunnel *tunnels, size_t n,
	struct provision_request *out, char why[static 128])
{
	const cJSON *id;
	int r;

	if (!cJSON_IsObject(body))
		return refuse(why, "body", "not one JSON object with each field once");
	r = check_fields(body, why);
	if (!r)
		r = parse_task(json_get(body, "task"), out, why);
	if (r)
		return r;
	id = json_get(body, "id");
	if (!id)
		return refuse(why, "id", "missing");
	if (!cJSON_IsString(id) || !device_id_is_good(id->valuestring))
		return refuse(why, "id", "not 1 to 64 of A-Z a-z 0-9 . _ : -");
	memcpy(out->id, id->valuestring, strlen(id->valuestring) + 1);
	return out->task == PROVISION_UPSERT ? parse_upsert(body, tunnels, n, out, why) : 0;
}

int provision_request_parse(const char *text, size_t len, const struct conf_tunnel *tunnels,
	size_t tunnel_count, struct provision_request *out, char why[static 128])
{
	struct provision_request request = { 0 };
	cJSON *body = json_parse(text, len);
	int r = parse_body(body, tunnels, tunnel_count, &request, why);

	cJSON_Delete(body);
	if (!r)
		*out = request;
	return r;
}

static int check_keys(
	const struct provision_device *d, struct provision_request *out, char why[static 128])
{
	if (!public_key_is_good(d->public_key))
		return refuse(why, "public_key", "not a WireGuard key");
	if (d->preshared_key && !public_key_is_good(d->preshared_key))
		return refuse(why, "preshared_key", "not a WireGuard key");
	memcpy(out->public_key, d->public_key, sizeof(out->public_key));
	if (d->preshared_key)
		memcpy(out->preshared_key, d->preshared_key, sizeof(out->preshared_key));
	out->preshared_known = true;
	return 0;
}

int provision_request_check(const struct provision_device *d, const struct conf_tunnel *tunnels,
	size_t tunnel_count, struct provision_request *out, char why[static 128])
{
	int r;

	*out = (struct provision_request){ .task = PROVISION_UPSERT };
	if (!device_id_is_good(d->id))
		return refuse(why, "id", "not 1 to 64 of A-Z a-z 0-9 . _ : -");
	memcpy(out->id, d->id, strlen(d->id) + 1);
	r = check_keys(d, out, why);
	if (r)
		return r;
	out->tunnel = tunnel_find(tunnels, tunnel_count, d->tunnel ? d->tunnel : DEFAULT_MODE);
	if (!out->tunnel)
		return refuse(why, "tunnel", "no such tunnel");
	if (!d->address_count)
		return refuse(why, "address", "missing");
	for (size_t i = 0; i < d->address_count && !r; i++)
		r = add_address(d->addresses[i], out, why);
	return r ? r : order_addresses(out, why);
}
