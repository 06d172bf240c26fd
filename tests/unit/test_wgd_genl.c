/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/genl.h"

#include "tests/unit/tap.h"
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>

/*
 * No WireGuard in the kernel at hand: the messages are read back by a fake that understands them as
 * linux/wireguard.h says. The dump has the same attributes, so genl_read_device is the reader.
 */
struct fake {
	struct wg_device dev;
	size_t messages, bytes_max, removed, replaced;
	int fail_at; /* message number, 0 = never */
};

static void count_flags(const struct nlmsghdr *msg, struct fake *f)
{
	const struct nlattr *attr, *peer, *inner;
	mnl_attr_for_each (attr, msg, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) != WGDEVICE_A_PEERS)
			continue;
		mnl_attr_for_each_nested(peer, attr)
		{
			mnl_attr_for_each_nested(inner, peer)
			{
				if (mnl_attr_get_type(inner) != WGPEER_A_FLAGS)
					continue;
				f->removed += mnl_attr_get_u32(inner) == WGPEER_F_REMOVE_ME;
				f->replaced +=
					mnl_attr_get_u32(inner) == WGPEER_F_REPLACE_ALLOWEDIPS;
			}
		}
	}
}

static int take(struct nlmsghdr *msg, void *arg)
{
	struct fake *f = arg;
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(msg);
	if ((int)++f->messages == f->fail_at)
		return -EPERM;
	OK(genl->cmd == WG_CMD_SET_DEVICE && genl->version == WG_GENL_VERSION);
	INT_IS(msg->nlmsg_type, 77);
	if (msg->nlmsg_len > f->bytes_max)
		f->bytes_max = msg->nlmsg_len;
	count_flags(msg, f);
	return genl_read_device(msg, &f->dev);
}

static void add_peers(struct wg_changes *c, size_t n, enum wg_change_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		struct wg_peer peer = { 0 };
		struct prefix p = { .addr = { .family = AF_INET,
					    .bytes = { 10, (uint8_t)(i >> 8), (uint8_t)i, 1 } },
			.len = 32 };
		struct prefix p6 = { .addr = { .family = AF_INET6,
					     .bytes = { 0xfd, 9, (uint8_t)(i >> 8), (uint8_t)i } },
			.len = 128 };
		memcpy(peer.public_key.bytes, &i, sizeof(i));
		peer.public_key.bytes[31] = 1;
		peer.preshared_key.bytes[0] = (uint8_t)i;
		wg_peer_allow(&peer, &p);
		wg_peer_allow(&peer, &p6);
		wg_changes_add(c, kind, &peer);
	}
}

static void test_ten_thousand_peers_arrive_whole_in_bounded_messages(void)
{
	struct nl nl = { 0 };
	struct fake f = { 0 };
	struct wg_changes c;
	wg_changes_init(&c);
	add_peers(&c, 10000, WG_CHANGE_SET);
	c.set_port = c.set_private_key = true;
	c.port = 51820;
	c.private_key.bytes[5] = 9;
	INT_IS(genl_build_set(&nl, 77, "wg0", &c, take, &f), 0);
	OK(f.messages > 50 && f.bytes_max <= NL_MESSAGE_MAX);
	INT_IS(f.dev.count, 10000);
	INT_IS(f.replaced, 10000);
	INT_IS(f.dev.port, 51820);
	INT_IS(f.dev.private_key.bytes[5], 9);
	for (size_t i = 0; i < f.dev.count; i++)
		OK(wg_peer_equal(&f.dev.peers[i], &c.v[i].peer));
	wg_device_fini(&f.dev);
	wg_changes_fini(&c);
}

static void test_removal_carries_the_key_alone(void)
{
	struct nl nl = { 0 };
	struct fake f = { 0 };
	struct wg_changes c;
	wg_changes_init(&c);
	add_peers(&c, 3, WG_CHANGE_REMOVE);
	INT_IS(genl_build_set(&nl, 77, "wg0", &c, take, &f), 0);
	INT_IS(f.messages, 1);
	INT_IS(f.removed, 3);
	INT_IS(f.dev.peers[0].allowed_count, 0);
	wg_device_fini(&f.dev);
	wg_changes_fini(&c);
}

static void test_settings_without_peers_take_one_message(void)
{
	struct nl nl = { 0 };
	struct fake f = { 0 };
	struct wg_changes c;
	wg_changes_init(&c);
	c.set_port = true;
	c.port = 4242;
	INT_IS(genl_build_set(&nl, 77, "wg0", &c, take, &f), 0);
	INT_IS(f.messages, 1);
	INT_IS(f.dev.port, 4242);
	wg_device_fini(&f.dev);
}

static void test_first_refusal_ends_the_sending(void)
{
	struct nl nl = { 0 };
	struct fake f = { .fail_at = 2 };
	struct wg_changes c;
	wg_changes_init(&c);
	add_peers(&c, 1000, WG_CHANGE_SET);
	INT_IS(genl_build_set(&nl, 77, "wg0", &c, take, &f), -EPERM);
	INT_IS(f.messages, 2);
	wg_device_fini(&f.dev);
	wg_changes_fini(&c);
}

static void put_peer(struct nlmsghdr *msg, uint8_t key, uint8_t address)
{
	uint8_t bytes[32] = { key }, v4[4] = { 10, 0, 0, address };
	struct nlattr *peers = mnl_attr_nest_start(msg, WGDEVICE_A_PEERS);
	struct nlattr *peer = mnl_attr_nest_start(msg, 0);
	mnl_attr_put(msg, WGPEER_A_PUBLIC_KEY, sizeof(bytes), bytes);
	struct nlattr *allowed = mnl_attr_nest_start(msg, WGPEER_A_ALLOWEDIPS);
	struct nlattr *prefix = mnl_attr_nest_start(msg, 0);
	mnl_attr_put_u16(msg, WGALLOWEDIP_A_FAMILY, AF_INET);
	mnl_attr_put(msg, WGALLOWEDIP_A_IPADDR, sizeof(v4), v4);
	mnl_attr_put_u8(msg, WGALLOWEDIP_A_CIDR_MASK, 32);
	mnl_attr_nest_end(msg, prefix);
	mnl_attr_nest_end(msg, allowed);
	mnl_attr_nest_end(msg, peer);
	mnl_attr_nest_end(msg, peers);
}

static struct nlmsghdr *dump_message(void *buf)
{
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	msg->nlmsg_type = 77;
	mnl_nlmsg_put_extra_header(msg, sizeof(struct genlmsghdr));
	return msg;
}

static void test_peer_split_over_two_messages_is_one_peer(void)
{
	uint8_t buf[2048];
	struct wg_device dev;
	wg_device_init(&dev);
	struct nlmsghdr *msg = dump_message(buf);
	put_peer(msg, 1, 1);
	INT_IS(genl_read_device(msg, &dev), 0);
	msg = dump_message(buf);
	put_peer(msg, 1, 2);
	put_peer(msg, 2, 3);
	INT_IS(genl_read_device(msg, &dev), 0);
	INT_IS(dev.count, 2);
	INT_IS(dev.peers[0].allowed_count, 2);
	INT_IS(dev.peers[1].allowed_count, 1);
	wg_device_fini(&dev);
}

static void test_refuses_a_key_of_the_wrong_length(void)
{
	uint8_t buf[512], bytes[31] = { 1 };
	struct wg_device dev;
	wg_device_init(&dev);
	struct nlmsghdr *msg = dump_message(buf);
	mnl_attr_put(msg, WGDEVICE_A_PRIVATE_KEY, sizeof(bytes), bytes);
	INT_IS(genl_read_device(msg, &dev), -EBADMSG);
	wg_device_fini(&dev);
}

int main(void)
{
	TAP_RUN(test_ten_thousand_peers_arrive_whole_in_bounded_messages);
	TAP_RUN(test_removal_carries_the_key_alone);
	TAP_RUN(test_settings_without_peers_take_one_message);
	TAP_RUN(test_first_refusal_ends_the_sending);
	TAP_RUN(test_peer_split_over_two_messages_is_one_peer);
	TAP_RUN(test_refuses_a_key_of_the_wrong_length);
	return tap_done();
}
