/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/uapi.h"

#include "tests/unit/tap.h"
#include <errno.h>

#define KEY_A "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
#define KEY_B "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
#define ZERO  "0000000000000000000000000000000000000000000000000000000000000000"

static int parse(const char *text, struct wg_device *dev)
{
	return uapi_parse(text, strlen(text), dev);
}

static void test_reads_device_and_peers(void)
{
	struct wg_device dev;
	INT_IS(parse("private_key=" KEY_A "\nlisten_port=51820\nfwmark=1\npublic_key=" KEY_B
		     "\npreshared_key=" ZERO "\nprotocol_version=1\nendpoint=192.0.2.7:4242\n"
		     "last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=5000000\n"
		     "rx_bytes=18\ntx_bytes=19\npersistent_keepalive_interval=0\n"
		     "allowed_ip=10.9.0.2/32\nallowed_ip=fd09::2/128\npublic_key=" KEY_A
		     "\nerrno=0\n\n",
		       &dev),
		0);
	INT_IS(dev.port, 51820);
	INT_IS(dev.count, 2);
	INT_IS(dev.peers[0].allowed_count, 2);
	INT_IS(dev.peers[0].handshake_at, 1700000000005);
	INT_IS(dev.peers[0].rx_bytes, 18);
	INT_IS(dev.peers[0].tx_bytes, 19);
	INT_IS(dev.peers[0].endpoint.port, 4242);
	INT_IS(dev.peers[1].allowed_count, 0);
	wg_device_fini(&dev);
}

static void test_gives_the_other_sides_error(void)
{
	INT_IS(parse("errno=-22\n\n", NULL), -EINVAL);
	INT_IS(parse("errno=0\n\n", NULL), 0);
	INT_IS(parse("errno=98\n\n", NULL), -EADDRINUSE);
}

static void test_refuses_what_is_no_answer(void)
{
	static const char *const bad[] = { "", "\n\n", "errno=0\n", "errno=\n\n", "errno=x\n\n",
		"listen_port=1\n\n", "listen_port=65536\nerrno=0\n\n",
		"private_key=00\nerrno=0\n\n",
		"public_key=" KEY_A "\nallowed_ip=10.0.0.0/33\nerrno=0\n\n",
		"public_key=" KEY_A "\nrx_bytes=99999999999999999999\nerrno=0\n\n",
		"errno=0\nlisten_port=1\n\n", "nonsense\nerrno=0\n\n" };
	struct wg_device dev;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		INT_IS(parse(bad[i], &dev), -EBADMSG);
		INT_IS(dev.count, 0);
	}
}

static void test_peer_with_many_prefixes_is_never_equal(void)
{
	struct wg_device dev;
	struct buf text;
	buf_init(&text, 0);
	buf_append_str(&text, "public_key=" KEY_A "\n");
	for (int i = 0; i < 20; i++)
		buf_printf(&text, "allowed_ip=10.0.0.%d/32\n", i);
	buf_append_str(&text, "errno=0\n\n");
	INT_IS(parse((const char *)text.data, &dev), 0);
	INT_IS(dev.peers[0].allowed_count, 20);
	OK(!wg_peer_equal(&dev.peers[0], &dev.peers[0]));
	wg_device_fini(&dev);
	buf_fini(&text);
}

static void test_writes_the_changes(void)
{
	struct wg_changes c;
	struct wg_peer peer = { 0 };
	struct prefix p;
	struct buf text;
	wg_changes_init(&c);
	buf_init(&text, 0);
	wg_key_parse_hex(KEY_A, &peer.public_key);
	wg_changes_add(&c, WG_CHANGE_REMOVE, &peer);
	wg_key_parse_hex(KEY_B, &peer.public_key);
	prefix_parse("10.9.0.2/32", &p);
	wg_peer_allow(&peer, &p);
	prefix_parse("fd09::2/128", &p);
	wg_peer_allow(&peer, &p);
	wg_changes_add(&c, WG_CHANGE_SET, &peer);
	c.set_port = true;
	c.port = 51820;
	uapi_format_set(&text, &c);
	STR_IS((const char *)text.data,
		"set=1\nlisten_port=51820\npublic_key=" KEY_A "\nremove=true\npublic_key=" KEY_B
		"\npreshared_key=" ZERO "\nreplace_allowed_ips=true\nallowed_ip=10.9.0.2/32\n"
		"allowed_ip=fd09::2/128\n\n");
	wg_changes_fini(&c);
	buf_fini(&text);
}

int main(void)
{
	TAP_RUN(test_reads_device_and_peers);
	TAP_RUN(test_gives_the_other_sides_error);
	TAP_RUN(test_refuses_what_is_no_answer);
	TAP_RUN(test_peer_with_many_prefixes_is_never_equal);
	TAP_RUN(test_writes_the_changes);
	return tap_done();
}
