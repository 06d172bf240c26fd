/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/kfile_impl.h"

#include "wgd/peers.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum directive {
	D_PRIVATE_KEY,
	D_LISTEN_PORT,
	D_ADDRESS,
	D_PUBLIC_KEY,
	D_PRESHARED_KEY,
	D_ALLOWED_IPS,
	D_NUMBER, /* a number without effect */
	D_IGNORED,
};

static const struct {
	enum kfile_section section;
	const char *name;
	enum directive what;
} directives[] = {
	{ SECTION_INTERFACE, "PrivateKey", D_PRIVATE_KEY },
	{ SECTION_INTERFACE, "ListenPort", D_LISTEN_PORT },
	{ SECTION_INTERFACE, "Address", D_ADDRESS },
	{ SECTION_INTERFACE, "MTU", D_NUMBER },
	{ SECTION_INTERFACE, "DNS", D_IGNORED },
	{ SECTION_INTERFACE, "FwMark", D_IGNORED },
	{ SECTION_INTERFACE, "Table", D_IGNORED },
	{ SECTION_INTERFACE, "PreUp", D_IGNORED },
	{ SECTION_INTERFACE, "PostUp", D_IGNORED },
	{ SECTION_INTERFACE, "PreDown", D_IGNORED },
	{ SECTION_INTERFACE, "PostDown", D_IGNORED },
	{ SECTION_INTERFACE, "SaveConfig", D_IGNORED },
	{ SECTION_PEER, "PublicKey", D_PUBLIC_KEY },
	{ SECTION_PEER, "PresharedKey", D_PRESHARED_KEY },
	{ SECTION_PEER, "AllowedIPs", D_ALLOWED_IPS },
	{ SECTION_PEER, "Endpoint", D_IGNORED },
	{ SECTION_PEER, "PersistentKeepalive", D_IGNORED },
};

static int read_private_key(struct kfile_reader *r, const char *value)
{
	struct wg_key public_key;
	unsigned earlier = 0;
	int err;

	if (!wg_key_is_zero(&r->k->private_key))
		return kfile_refuse(r, r->line, "PrivateKey: is there twice");
	if (wg_key_parse(value, &r->k->private_key))
		return kfile_refuse(r, r->line, "PrivateKey: not a WireGuard key");
	r->k->private_key_line = r->line;
	err = wg_key_public(&r->k->private_key, &public_key);
	if (err)
		return err;
	err = kfile_use_once(
		&r->keys, public_key.bytes, sizeof(public_key.bytes), r->line, &earlier);
	if (err == -EEXIST)
		return kfile_refuse(r, earlier, "PublicKey: the interface's own key");
	return err;
}

static int read_public_key(struct kfile_reader *r, const char *value)
{
	struct kfile_peer *p = kfile_peer_at_hand(r);
	unsigned earlier = 0;
	int err;

	if (r->has_public)
		return kfile_refuse(r, r->line, "PublicKey: is there twice in one block");
	if (wg_key_parse(value, &p->public_key))
		return kfile_refuse(r, r->line, "PublicKey: not a WireGuard key");
	r->has_public = true;
	err = kfile_use_once(
		&r->keys, p->public_key.bytes, sizeof(p->public_key.bytes), r->line, &earlier);
	if (err == -EEXIST)
		return kfile_refuse(r, r->line, "PublicKey: the same key as in line %u", earlier);
	return err;
}

static int read_preshared_key(struct kfile_reader *r, const char *value)
{
	if (r->has_preshared)
		return kfile_refuse(r, r->line, "PresharedKey: is there twice in one block");
	if (wg_key_parse(value, &kfile_peer_at_hand(r)->preshared_key))
		return kfile_refuse(r, r->line, "PresharedKey: not a WireGuard key");
	r->has_preshared = true;
	return 0;
}

static int read_port(struct kfile_reader *r, const char *value)
{
	char *end;
	long port = strtol(value, &end, 10);

	if (r->k->port)
		return kfile_refuse(r, r->line, "ListenPort: is there twice");
	if (!isdigit((unsigned char)*value) || *end || port < 1 || port > 65535)
		return kfile_refuse(r, r->line, "ListenPort: not a number from 1 to 65535");
	r->k->port = (uint16_t)port;
	r->k->port_line = r->line;
	return 0;
}

static int read_interface_address(struct kfile_reader *r, const char *text)
{
	struct kfile *k = r->k;

	if (k->address_count == sizeof(k->addresses) / sizeof(k->addresses[0]))
		return kfile_refuse(r, r->line, "Address: too many");
	if (prefix_parse(text, &k->addresses[k->address_count]))
		return kfile_refuse(r, r->line, "Address: not an address with its subnet's length");
	k->address_count++;
	k->address_line = r->line;
	return 0;
}

/* IPv4 first. */
static void put_address(struct kfile_peer *p, const struct addr *a)
{
	if (p->address_count && a->family == AF_INET) {
		p->addresses[1] = p->addresses[0];
		p->addresses[0] = *a;
	} else {
		p->addresses[p->address_count] = *a;
	}
	p->address_count++;
}

static int read_allowed(struct kfile_reader *r, const char *text)
{
	struct kfile_peer *p = kfile_peer_at_hand(r);
	struct prefix prefix;
	unsigned earlier = 0;
	int err;

	if (prefix_parse(text, &prefix))
		return kfile_refuse(r, r->line, "AllowedIPs: not an address");
	if (prefix.len != addr_len(&prefix.addr) * 8)
		return kfile_refuse(
			r, r->line, "AllowedIPs: /%u is not one address (/32, /128)", prefix.len);
	for (size_t i = 0; i < p->address_count; i++) {
		if (p->addresses[i].family == prefix.addr.family)
			return kfile_refuse(r, r->line, "AllowedIPs: two addresses of one family");
	}
	switch (peer_judge_address(r->tunnel, &prefix.addr)) {
	case REFUSAL_NONE:
		break;
	case REFUSAL_ADDRESS_RESERVED:
		return kfile_refuse(r, r->line,
			"AllowedIPs: the gateway's own, the network's or the broadcast address");
	default:
		return kfile_refuse(r, r->line, "AllowedIPs: outside tunnel %s", r->tunnel->name);
	}
	err = kfile_use_once(&r->addresses, &prefix.addr, sizeof(prefix.addr), r->line, &earlier);
	if (err == -EEXIST)
		return kfile_refuse(
			r, r->line, "AllowedIPs: the same address as in line %u", earlier);
	put_address(p, &prefix.addr);
	return err;
}

static int read_list(
	struct kfile_reader *r, char *value, int (*read)(struct kfile_reader *r, const char *text))
{
	char *rest = value, *item;
	int err = 0;

	while (!err && (item = strsep(&rest, ",")))
		err = read(r, kfile_trim(item));
	return err;
}

static int ignore(struct kfile_reader *r)
{
	if (!r->k->ignored++)
		r->k->ignored_line = r->line;
	return 0;
}

static int read_value(struct kfile_reader *r, enum directive what, const char *name, char *value)
{
	switch (what) {
	case D_PRIVATE_KEY:
		return read_private_key(r, value);
	case D_LISTEN_PORT:
		return read_port(r, value);
	case D_ADDRESS:
		return read_list(r, value, read_interface_address);
	case D_PUBLIC_KEY:
		return read_public_key(r, value);
	case D_PRESHARED_KEY:
		return read_preshared_key(r, value);
	case D_ALLOWED_IPS:
		return read_list(r, value, read_allowed);
	case D_NUMBER:
		if (value[strspn(value, "0123456789")])
			return kfile_refuse(r, r->line, "%s: not a number", name);
		return ignore(r);
	case D_IGNORED:
		return ignore(r);
	}
	return -EINVAL;
}

/* The name may be anything: only what looks like a word is repeated. */
static int refuse_unknown(struct kfile_reader *r, const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

	if (name[len] || !len || len > 32)
		return kfile_refuse(r, r->line, "no directive of wg-quick");
	return kfile_refuse(r, r->line, "%s: no directive of %s", name,
		r->section == SECTION_PEER ? "[Peer]" : "[Interface]");
}

int kfile_read_directive(struct kfile_reader *r, char *text)
{
	char *equals = strchr(text, '='), *value, *name;

	if (!equals)
		return kfile_refuse(r, r->line, "neither [section] nor directive = value");
	if (r->section == SECTION_NONE)
		return kfile_refuse(r, r->line, "a directive before [Interface] or [Peer]");
	*equals = '\0';
	name = kfile_trim(text);
	value = kfile_trim(equals + 1);
	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
		if (directives[i].section != r->section || strcasecmp(directives[i].name, name))
			continue;
		name = (char *)directives[i].name;
		if (!*value)
			return kfile_refuse(r, r->line, "%s: no value", name);
		return read_value(r, directives[i].what, name, value);
	}
	return refuse_unknown(r, name);
}
