/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/genl.h"

#include "common/siphash.h"
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <string.h>

/* A peer with two keys and WG_ALLOWED_MAX prefixes takes less. */
enum { PEER_BYTES_MAX = 1024 };

static struct nlmsghdr *start_message(
	struct nl *nl, void *buf, uint16_t family, uint8_t cmd, const char *ifname)
{
	struct nlmsghdr *msg = nl_prepare(nl, buf, family, 0);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(msg, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = WG_GENL_VERSION;
	mnl_attr_put_strz(msg, WGDEVICE_A_IFNAME, ifname);
	return msg;
}

struct nlmsghdr *genl_build_get(struct nl *nl, void *buf, uint16_t family, const char *ifname)
{
	return start_message(nl, buf, family, WG_CMD_GET_DEVICE, ifname);
}

static void put_key(struct nlmsghdr *msg, uint16_t type, const struct wg_key *key)
{
	mnl_attr_put(msg, type, sizeof(key->bytes), key->bytes);
}

static void put_prefix(struct nlmsghdr *msg, const struct prefix *prefix)
{
	struct nlattr *nest = mnl_attr_nest_start(msg, 0);
	mnl_attr_put_u16(msg, WGALLOWEDIP_A_FAMILY, prefix->addr.family);
	mnl_attr_put(msg, WGALLOWEDIP_A_IPADDR, addr_len(&prefix->addr), prefix->addr.bytes);
	mnl_attr_put_u8(msg, WGALLOWEDIP_A_CIDR_MASK, prefix->len);
	mnl_attr_nest_end(msg, nest);
}

static void put_change(struct nlmsghdr *msg, const struct wg_change *change)
{
	const struct wg_peer *peer = &change->peer;
	struct nlattr *nest = mnl_attr_nest_start(msg, 0);
	put_key(msg, WGPEER_A_PUBLIC_KEY, &peer->public_key);
	if (change->kind == WG_CHANGE_REMOVE) {
		mnl_attr_put_u32(msg, WGPEER_A_FLAGS, WGPEER_F_REMOVE_ME);
	} else {
		mnl_attr_put_u32(msg, WGPEER_A_FLAGS, WGPEER_F_REPLACE_ALLOWEDIPS);
		put_key(msg, WGPEER_A_PRESHARED_KEY, &peer->preshared_key);
		struct nlattr *allowed = mnl_attr_nest_start(msg, WGPEER_A_ALLOWEDIPS);
		for (size_t i = 0; i < peer->allowed_count && i < WG_ALLOWED_MAX; i++)
			put_prefix(msg, &peer->allowed[i]);
		mnl_attr_nest_end(msg, allowed);
	}
	mnl_attr_nest_end(msg, nest);
}

int genl_build_set(struct nl *nl, uint16_t family, const char *ifname,
	const struct wg_changes *changes, int (*emit)(struct nlmsghdr *msg, void *arg), void *arg)
{
	uint8_t buf[NL_MESSAGE_MAX];
	size_t i = 0;
	int err;
	do {
		struct nlmsghdr *msg = start_message(nl, buf, family, WG_CMD_SET_DEVICE, ifname);
		if (i == 0 && changes->set_private_key)
			put_key(msg, WGDEVICE_A_PRIVATE_KEY, &changes->private_key);
		if (i == 0 && changes->set_port)
			mnl_attr_put_u16(msg, WGDEVICE_A_LISTEN_PORT, changes->port);
		struct nlattr *peers = mnl_attr_nest_start(msg, WGDEVICE_A_PEERS);
		for (; i < changes->count && msg->nlmsg_len + PEER_BYTES_MAX <= sizeof(buf); i++)
			put_change(msg, &changes->v[i]);
		mnl_attr_nest_end(msg, peers);
		err = emit(msg, arg);
	} while (!err && i < changes->count);
	explicit_bzero(buf, sizeof(buf));
	return err;
}

static int read_key(const struct nlattr *attr, struct wg_key *key)
{
	if (mnl_attr_get_payload_len(attr) != sizeof(key->bytes))
		return -EBADMSG;
	memcpy(key->bytes, mnl_attr_get_payload(attr), sizeof(key->bytes));
	return 0;
}

static int read_prefix(const struct nlattr *nest, struct prefix *out)
{
	const struct nlattr *attr, *address = NULL;
	int family = 0, len = -1;
	mnl_attr_for_each_nested(attr, nest)
	{
		uint16_t type = mnl_attr_get_type(attr), size = mnl_attr_get_payload_len(attr);
		if (type == WGALLOWEDIP_A_FAMILY && size == 2)
			family = mnl_attr_get_u16(attr);
		else if (type == WGALLOWEDIP_A_CIDR_MASK && size == 1)
			len = mnl_attr_get_u8(attr);
		else if (type == WGALLOWEDIP_A_IPADDR)
			address = attr;
	}
	int width = family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
	if (!width || !address || mnl_attr_get_payload_len(address) != width || len < 0 ||
		len > width * 8)
		return -EBADMSG;
	out->addr = (struct addr){ .family = (uint8_t)family };
	memcpy(out->addr.bytes, mnl_attr_get_payload(address), (size_t)width);
	out->len = (uint8_t)len;
	return 0;
}

static int read_allowed(const struct nlattr *nest, struct wg_peer *peer)
{
	const struct nlattr *attr;
	mnl_attr_for_each_nested(attr, nest)
	{
		struct prefix prefix;
		int err = read_prefix(attr, &prefix);
		if (err)
			return err;
		wg_peer_allow(peer, &prefix);
	}
	return 0;
}

static void read_endpoint(const struct nlattr *attr, struct endpoint *out)
{
	struct sockaddr_storage ss = { 0 };
	size_t len = mnl_attr_get_payload_len(attr);
	memcpy(&ss, mnl_attr_get_payload(attr), len < sizeof(ss) ? len : sizeof(ss));
	out->addr = addr_from_sockaddr((const struct sockaddr *)&ss);
	out->port = sockaddr_port((const struct sockaddr *)&ss);
}

static int read_peer_attr(const struct nlattr *attr, struct wg_peer *peer)
{
	size_t len = mnl_attr_get_payload_len(attr);
	struct {
		int64_t sec, nsec;
	} at;
	switch (mnl_attr_get_type(attr)) {
	case WGPEER_A_PRESHARED_KEY:
		return read_key(attr, &peer->preshared_key);
	case WGPEER_A_ENDPOINT:
		read_endpoint(attr, &peer->endpoint);
		return 0;
	case WGPEER_A_LAST_HANDSHAKE_TIME:
		if (len != sizeof(at))
			return -EBADMSG;
		memcpy(&at, mnl_attr_get_payload(attr), sizeof(at));
		peer->handshake_at = at.sec * 1000 + at.nsec / 1000000;
		return 0;
	case WGPEER_A_RX_BYTES:
	case WGPEER_A_TX_BYTES:
		if (len != sizeof(uint64_t))
			return -EBADMSG;
		if (mnl_attr_get_type(attr) == WGPEER_A_RX_BYTES)
			peer->rx_bytes = mnl_attr_get_u64(attr);
		else
			peer->tx_bytes = mnl_attr_get_u64(attr);
		return 0;
	case WGPEER_A_ALLOWEDIPS:
		return read_allowed(attr, peer);
	}
	return 0;
}

static int read_peer(const struct nlattr *nest, struct wg_device *dev)
{
	const struct nlattr *attr;
	struct wg_key key = { 0 };
	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == WGPEER_A_PUBLIC_KEY && read_key(attr, &key))
			return -EBADMSG;
	}
	if (wg_key_is_zero(&key))
		return -EBADMSG;
	/* A peer whose prefixes do not fit goes on in the next message under the same key. */
	struct wg_peer *peer = dev->count ? &dev->peers[dev->count - 1] : NULL;
	if (!peer || !wg_key_equal(&peer->public_key, &key))
		peer = wg_device_add(dev);
	if (!peer)
		return -ENOMEM;
	peer->public_key = key;
	mnl_attr_for_each_nested(attr, nest)
	{
		int err = read_peer_attr(attr, peer);
		if (err)
			return err;
	}
	return 0;
}

static int read_peers(const struct nlattr *nest, struct wg_device *dev)
{
	const struct nlattr *attr;
	mnl_attr_for_each_nested(attr, nest)
	{
		int err = read_peer(attr, dev);
		if (err)
			return err;
	}
	return 0;
}

int genl_read_device(const struct nlmsghdr *msg, struct wg_device *dev)
{
	const struct nlattr *attr;
	int err = 0;
	if (mnl_nlmsg_get_payload_len(msg) < sizeof(struct genlmsghdr))
		return -EBADMSG;
	mnl_attr_for_each (attr, msg, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == WGDEVICE_A_PRIVATE_KEY)
			err = read_key(attr, &dev->private_key);
		else if (mnl_attr_get_type(attr) == WGDEVICE_A_LISTEN_PORT &&
			 mnl_attr_get_payload_len(attr) == sizeof(uint16_t))
			dev->port = mnl_attr_get_u16(attr);
		else if (mnl_attr_get_type(attr) == WGDEVICE_A_PEERS)
			err = read_peers(attr, dev);
		if (err)
			return err;
	}
	return 0;
}

/* The hash of one attribute of a peer (or of the interface: public NULL). */
static uint64_t hash_attr(
	const uint8_t key[static 16], const struct wg_key *public, const struct nlattr *attr)
{
	uint8_t buf[sizeof(*public) + 2 + 128] = { 0 };
	size_t len = mnl_attr_get_payload_len(attr);
	uint16_t type = mnl_attr_get_type(attr);
	if (public)
		memcpy(buf, public->bytes, sizeof(public->bytes));
	memcpy(buf + sizeof(*public), &type, sizeof(type));
	len = len < 128 ? len : 128;
	memcpy(buf + sizeof(*public) + 2, mnl_attr_get_payload(attr), len);
	uint64_t hash = siphash13(key, buf, sizeof(*public) + 2 + len);
	explicit_bzero(buf, sizeof(buf));
	return hash;
}

static void add_peer_fingerprint(
	const struct nlattr *nest, const uint8_t key[static 16], uint64_t *sum)
{
	const struct nlattr *attr, *prefix;
	struct wg_key public = { 0 };
	mnl_attr_for_each_nested(attr, nest)
	{
		uint16_t type = mnl_attr_get_type(attr);
		if (type == WGPEER_A_PUBLIC_KEY)
			read_key(attr, &public);
		else if (type == WGPEER_A_PRESHARED_KEY)
			*sum += hash_attr(key, &public, attr);
		else if (type == WGPEER_A_ALLOWEDIPS)
			mnl_attr_for_each_nested(prefix, attr) *sum +=
				hash_attr(key, &public, prefix);
	}
}

void genl_add_fingerprint(const struct nlmsghdr *msg, const uint8_t key[static 16], uint64_t *sum)
{
	const struct nlattr *attr, *peer;
	if (mnl_nlmsg_get_payload_len(msg) < sizeof(struct genlmsghdr))
		return;
	mnl_attr_for_each (attr, msg, sizeof(struct genlmsghdr)) {
		uint16_t type = mnl_attr_get_type(attr);
		if (type == WGDEVICE_A_PRIVATE_KEY || type == WGDEVICE_A_LISTEN_PORT)
			*sum += hash_attr(key, NULL, attr);
		else if (type == WGDEVICE_A_PEERS)
			mnl_attr_for_each_nested(peer, attr) add_peer_fingerprint(peer, key, sum);
	}
}
