/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SPEC W5, W8: K's WireGuard file. */
#include "wgd/kfile.h"

#include "tests/unit/tap.h"
#include "wgd/followed.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_A		  "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define KEY_B		  "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define PSK		  "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA="
#define PRIVATE		  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define HEAD		  "[Interface]\nPrivateKey = " PRIVATE "\nAddress = 10.9.0.1/24\nListenPort = 51820\n"
#define PEER(id, key, ip) "# device:" id "\n[Peer]\nPublicKey = " key "\nAllowedIPs = " ip "\n"

static struct prefix addresses[2];
static struct conf_tunnel tunnel = { .name = (char *)"mitm", .addresses = { addresses, 2 } };

static int parse(const char *text, struct kfile *k, struct kfile_error *err)
{
	return kfile_parse(text, strlen(text), &tunnel, k, err);
}

static void refuses(const char *text, unsigned line, const char *why)
{
	struct kfile k;
	struct kfile_error err;

	if (!parse(text, &k, &err)) {
		kfile_fini(&k);
		OK(!"refused");
		return;
	}
	INT_IS(err.line, line);
	STR_IS(err.why, why);
}

/* Takes the file and says its peers as id=address,address. */
static void gives(const char *text, const char *want)
{
	struct kfile k;
	struct kfile_error err;
	char have[512] = "", address[ADDR_STRLEN];

	if (parse(text, &k, &err)) {
		STR_IS(err.why, "");
		return;
	}
	for (size_t i = 0; i < k.count; i++) {
		const struct kfile_peer *p = &k.peers[i];

		strcat(strcat(have, *have ? " " : ""), p->id);
		for (size_t a = 0; a < p->address_count; a++) {
			addr_format(&p->addresses[a], address);
			strcat(strcat(have, a ? "," : "="), address);
		}
	}
	STR_IS(have, want);
	kfile_fini(&k);
}

static void test_reads_interface_and_peers(void)
{
	struct kfile k;
	struct kfile_error err;
	char key[WG_KEY_BASE64_LEN + 1];

	OK(!parse(HEAD PEER("a", KEY_A, "10.9.0.2/32") "PresharedKey = " PSK "\n", &k, &err));
	INT_IS(k.port, 51820);
	INT_IS(k.address_count, 1);
	INT_IS(k.count, 1);
	wg_key_format(&k.private_key, key);
	STR_IS(key, PRIVATE);
	wg_key_format(&k.peers[0].public_key, key);
	STR_IS(key, KEY_A);
	wg_key_format(&k.peers[0].preshared_key, key);
	STR_IS(key, PSK);
	INT_IS(k.peers[0].line, 6);
	kfile_fini(&k);
}

static void test_device_line_may_stand_before_or_within(void)
{
	gives(HEAD PEER("a", KEY_A, "10.9.0.2/32") "\n" PEER("b", KEY_B, "10.9.0.3"),
		"a=10.9.0.2 b=10.9.0.3");
	gives(HEAD "[Peer]\n# device:a\nPublicKey = " KEY_A "\nAllowedIPs = 10.9.0.2/32\n"
		   "[Peer]\nPublicKey = " KEY_B "\nAllowedIPs = 10.9.0.3/32\n#device: b \n",
		"a=10.9.0.2 b=10.9.0.3");
}

static void test_takes_any_case_comments_and_line_ends(void)
{
	gives("# K's\r\n[INTERFACE]\r\nlistenport=51820 # phones\r\n\r\n" PEER(
		      "a", KEY_A " # key", "10.9.0.2/32"),
		"a=10.9.0.2");
	gives("[Interface]\n# device:a\n[peer]\npublickey=" KEY_A "\nallowedips=10.9.0.2/32",
		"a=10.9.0.2");
}

static void test_takes_both_families_ipv4_first(void)
{
	gives(HEAD PEER("a", KEY_A, "fd09::2/128, 10.9.0.2/32"), "a=10.9.0.2,fd09::2");
	gives(HEAD PEER("a", KEY_A, "10.9.0.2/32\nAllowedIPs = fd09::2"), "a=10.9.0.2,fd09::2");
}

static void test_a_file_without_peers_is_a_file(void)
{
	gives(HEAD, "");
}

static void test_directives_that_are_not_about_peers_are_counted(void)
{
	struct kfile k;
	struct kfile_error err;

	OK(!parse(HEAD "MTU = 1420\nPostUp = iptables -A FORWARD; x=1\nSaveConfig = false\n" PEER(
			  "a", KEY_A, "10.9.0.2/32") "PersistentKeepalive = 25\n",
		&k, &err));
	INT_IS(k.ignored, 4);
	INT_IS(k.ignored_line, 5);
	kfile_fini(&k);
}

static void test_refuses_peer_without_device(void)
{
	refuses(HEAD "[Peer]\nPublicKey = " KEY_A "\nAllowedIPs = 10.9.0.2/32\n", 5,
		"[Peer]: has no line `# device:ID`");
	/* The next block's line is not taken for this block's. */
	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/32") "[Peer]\nPublicKey = " KEY_B
						     "\nAllowedIPs = 10.9.0.3/32\n# device:c\n",
		9, "[Peer]: has no line `# device:ID`");
	refuses(HEAD "[Peer]\nPublicKey = " KEY_A
		     "\nAllowedIPs = 10.9.0.2/32\n[Peer]\n# device:b\nPublicKey = " KEY_B
		     "\nAllowedIPs = 10.9.0.3/32\n",
		5, "[Peer]: has no line `# device:ID`");
}

static void test_refuses_device_without_peer(void)
{
	refuses(HEAD "# device:a\n", 5, "device:a: no [Peer] follows");
	refuses(HEAD "# device:a\n" PEER("b", KEY_A, "10.9.0.2/32"), 5,
		"device:a: no [Peer] follows");
}

static void test_refuses_bad_device_ids(void)
{
	refuses(HEAD "# device:\n", 5, "device: not 1 to 64 of A-Z a-z 0-9 . _ : -");
	refuses(HEAD "# device:a b\n", 5, "device: not 1 to 64 of A-Z a-z 0-9 . _ : -");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/32") PEER("a", KEY_B, "10.9.0.3/32"), 9,
		"device:a: is there twice, first in line 5");
	refuses(HEAD "[Peer]\n# device:a\n# device:b\n", 7,
		"device:b: the block has a device already");
}

static void test_refuses_keys_that_are_none(void)
{
	refuses(HEAD PEER("a", "nonsense", "10.9.0.2/32"), 7, "PublicKey: not a WireGuard key");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/32") "PresharedKey = x\n", 9,
		"PresharedKey: not a WireGuard key");
	refuses("[Interface]\nPrivateKey = x\n", 2, "PrivateKey: not a WireGuard key");
	refuses(HEAD "# device:a\n[Peer]\nAllowedIPs = 10.9.0.2/32\n", 6,
		"[Peer] a: has no PublicKey");
}

static void test_refuses_duplicate_keys(void)
{
	struct wg_key private_key, public_key;
	char text[WG_KEY_BASE64_LEN + 1], file[1024];

	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/32") PEER("b", KEY_A, "10.9.0.3/32"), 11,
		"PublicKey: the same key as in line 7");
	OK(!wg_key_parse(PRIVATE, &private_key) && !wg_key_public(&private_key, &public_key));
	wg_key_format(&public_key, text);
	snprintf(file, sizeof(file),
		HEAD "# device:a\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.9.0.2/32\n", text);
	refuses(file, 7, "PublicKey: the same key as in line 2");
}

static void test_refuses_addresses(void)
{
	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/24"), 8,
		"AllowedIPs: /24 is not one address (/32, /128)");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.300"), 8, "AllowedIPs: not an address");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/32,"), 8, "AllowedIPs: not an address");
	refuses(HEAD PEER("a", KEY_A, "10.8.0.2/32"), 8, "AllowedIPs: outside tunnel mitm");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.1/32"), 8,
		"AllowedIPs: the gateway's own, the network's or the broadcast address");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.255/32"), 8,
		"AllowedIPs: the gateway's own, the network's or the broadcast address");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/32, 10.9.0.3/32"), 8,
		"AllowedIPs: two addresses of one family");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/32") PEER("b", KEY_B, "10.9.0.2/32"), 12,
		"AllowedIPs: the same address as in line 8");
	refuses(HEAD PEER("a", KEY_A, "fd09::2/128"), 6, "[Peer] a: AllowedIPs: no IPv4 address");
	refuses(HEAD "# device:a\n[Peer]\nPublicKey = " KEY_A "\n", 6,
		"[Peer] a: has no AllowedIPs");
}

static void test_refuses_unknown_words(void)
{
	refuses(HEAD "Colour = red\n", 5, "Colour: no directive of [Interface]");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/32") "ListenPort = 1\n", 9,
		"ListenPort: no directive of [Peer]");
	refuses(HEAD "[Peers]\n", 5, "neither [Interface] nor [Peer]");
	refuses(HEAD "what\n", 5, "neither [section] nor directive = value");
	refuses("ListenPort = 1\n", 1, "a directive before [Interface] or [Peer]");
	refuses(HEAD "\x01\x02 = 1\n", 5, "no directive of wg-quick");
	refuses(HEAD "DNS =\n", 5, "DNS: no value");
}

static void test_refuses_what_is_there_twice(void)
{
	refuses(HEAD "ListenPort = 1\n", 5, "ListenPort: is there twice");
	refuses(HEAD "PrivateKey = " PRIVATE "\n", 5, "PrivateKey: is there twice");
	refuses(HEAD "[Interface]\n", 5, "[Interface]: is there twice, first in line 1");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/32") "PublicKey = " KEY_B "\n", 9,
		"PublicKey: is there twice in one block");
	refuses(HEAD PEER("a", KEY_A, "10.9.0.2/32") "PresharedKey = " PSK "\nPresharedKey = " PSK,
		10, "PresharedKey: is there twice in one block");
}

static void test_refuses_interface_values(void)
{
	refuses("[Interface]\nListenPort = 65536\n", 2, "ListenPort: not a number from 1 to 65535");
	refuses("[Interface]\nListenPort = 5x\n", 2, "ListenPort: not a number from 1 to 65535");
	refuses("[Interface]\nAddress = here\n", 2,
		"Address: not an address with its subnet's length");
	refuses("[Interface]\nMTU = big\n", 2, "MTU: not a number");
}

static void test_refuses_half_a_file(void)
{
	static const char zero[] = "[Interface]\n\0\n";
	struct kfile k;
	struct kfile_error err;

	refuses("", 0, "has no [Interface]");
	refuses(PEER("a", KEY_A, "10.9.0.2/32"), 0, "has no [Interface]");
	INT_IS(kfile_parse(zero, sizeof(zero) - 1, &tunnel, &k, &err), -EINVAL);
	INT_IS(err.line, 2);
	STR_IS(err.why, "has a zero byte");
}

static void test_refuses_a_long_line(void)
{
	static char text[KFILE_LINE_MAX + 64] = "[Interface]\n#";

	memset(text + strlen(text), 'x', KFILE_LINE_MAX);
	refuses(text, 2, "longer than 4096 characters");
}

static void test_written_file_reads_the_same_and_is_stable(void)
{
	struct kfile k, again;
	struct kfile_error err;
	struct buf first, second;

	OK(!parse(HEAD PEER("b", KEY_B, "fd09::9/128, 10.9.0.9/32")
			  PEER("a", KEY_A, "10.9.0.10/32") "PresharedKey = " PSK "\n",
		&k, &err));
	kfile_sort(&k);
	STR_IS(k.peers[0].id, "b");
	buf_init(&first, 0);
	buf_init(&second, 0);
	OK(!kfile_format(&k, &first));
	OK(!parse((const char *)first.data, &again, &err));
	kfile_sort(&again);
	OK(!kfile_format(&again, &second));
	STR_IS((const char *)second.data, (const char *)first.data);
	OK(strstr((const char *)first.data, "# device:b\n[Peer]\nPublicKey = " KEY_B
					    "\nAllowedIPs = 10.9.0.9/32, fd09::9/128\n"));
	buf_fini(&first);
	buf_fini(&second);
	kfile_fini(&k);
	kfile_fini(&again);
}

static void test_followed_devices_are_kept_on_disk(void)
{
	char dir[] = "/tmp/culvert-followed-XXXXXX", path[64];
	struct hmap map;
	struct followed *d;
	struct stat st;

	OK(mkdtemp(dir) != NULL);
	OK(!followed_read(dir, &map) && map.count == 0);
	d = followed_get(&map, "phone");
	d->made = true;
	strcpy(d->sum, "abc");
	OK(followed_get(&map, "phone") == d);
	OK(!followed_write(dir, &map));
	hmap_fini(&map);
	OK(!followed_read(dir, &map) && map.count == 1);
	d = hmap_find_str(&map, "phone");
	OK(d && d->made && !strcmp(d->sum, "abc"));
	hmap_fini(&map);
	snprintf(path, sizeof(path), "%s/" FOLLOWED_FILE, dir);
	OK(!stat(path, &st) && (st.st_mode & 0777) == 0600);
	OK(!file_write_atomic(path, "{}", 2, 0600));
	INT_IS(followed_read(dir, &map), -EBADMSG);
	INT_IS(map.count, 0);
	hmap_fini(&map);
	unlink(path);
	rmdir(dir);
}

static void test_any_difference_of_a_device_is_seen(void)
{
	struct kfile k;
	struct kfile_error err;
	char a[FOLLOWED_SUM_LEN + 1], b[FOLLOWED_SUM_LEN + 1];

	OK(!parse(HEAD PEER("a", KEY_A, "10.9.0.2/32"), &k, &err));
	followed_sum("mitm", &k.peers[0], a);
	followed_sum("other", &k.peers[0], b);
	OK(strcmp(a, b));
	k.peers[0].preshared_key.bytes[3] = 1;
	followed_sum("mitm", &k.peers[0], b);
	OK(strcmp(a, b));
	k.peers[0].preshared_key.bytes[3] = 0;
	k.peers[0].addresses[0].bytes[3]++;
	followed_sum("mitm", &k.peers[0], b);
	OK(strcmp(a, b));
	kfile_fini(&k);
}

int main(void)
{
	prefix_parse("10.9.0.1/24", &addresses[0]);
	prefix_parse("fd09::1/64", &addresses[1]);
	TAP_RUN(test_reads_interface_and_peers);
	TAP_RUN(test_device_line_may_stand_before_or_within);
	TAP_RUN(test_takes_any_case_comments_and_line_ends);
	TAP_RUN(test_takes_both_families_ipv4_first);
	TAP_RUN(test_a_file_without_peers_is_a_file);
	TAP_RUN(test_directives_that_are_not_about_peers_are_counted);
	TAP_RUN(test_refuses_peer_without_device);
	TAP_RUN(test_refuses_device_without_peer);
	TAP_RUN(test_refuses_bad_device_ids);
	TAP_RUN(test_refuses_keys_that_are_none);
	TAP_RUN(test_refuses_duplicate_keys);
	TAP_RUN(test_refuses_addresses);
	TAP_RUN(test_refuses_unknown_words);
	TAP_RUN(test_refuses_what_is_there_twice);
	TAP_RUN(test_refuses_interface_values);
	TAP_RUN(test_refuses_half_a_file);
	TAP_RUN(test_refuses_a_long_line);
	TAP_RUN(test_written_file_reads_the_same_and_is_stable);
	TAP_RUN(test_followed_devices_are_kept_on_disk);
	TAP_RUN(test_any_difference_of_a_device_is_seen);
	return tap_done();
}
