/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fed elements, rates and guards against the kernel of this machine, in a network namespace of the
 * test's own (F6, F10, F13, F14, W7). */
#include "fwd/firewall.h"
#include "fwd/marks.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static const struct ruleset_options options = { .masquerade = true,
	.dns_port = 53,
	.proxy_port = 8080,
	.http_port = 3128,
	.tls_port = 3129,
	.proxyd_uid = 64104 };

static void open_firewall(struct firewall *f)
{
	static struct prefix addresses[2];
	static char name[] = "mitm", interface[] = "wgT";
	static struct conf_tunnel tunnel = {
		.name = name, .interface = interface, .addresses = { addresses, 2 }
	};
	struct conf_shared conf = { .tunnels = &tunnel, .tunnel_count = 1 };
	prefix_parse("10.9.0.1/24", &addresses[0]);
	prefix_parse("fd09::1/64", &addresses[1]);
	INT_IS(firewall_init(f), 0);
	INT_IS(firewall_set_conf(f, &conf, &options), 0);
}

static void apply(struct firewall *f)
{
	int err = firewall_apply(f);
	if (err)
		printf("# %s\n", f->nft.fault);
	INT_IS(err, 0);
}

static struct addr parse(const char *text)
{
	struct addr a;
	addr_parse(text, &a);
	return a;
}

static void list(struct firewall *f, const char *address, uint64_t bits, int64_t ttl_s)
{
	struct addr a = parse(address);
	INT_IS(feed_list(&f->feed, &a, bits, ttl_s, NULL), 0);
}

struct reading {
	const struct addr *key;
	uint32_t bits;
	uint64_t expires_ms;
	size_t count;
};

static void on_elem(void *arg, const struct nft_elem *e)
{
	struct reading *r = arg;
	r->count++;
	if (!r->key || e->key_len != addr_len(r->key) || memcmp(e->key, r->key->bytes, e->key_len))
		return;
	r->expires_ms = e->expires_ms;
	if (e->data)
		memcpy(&r->bits, e->data, sizeof(r->bits));
}

static struct reading read_one(struct firewall *f, enum set_id set, const char *address)
{
	struct addr a = parse(address ? address : "0.0.0.0");
	struct reading r = { .key = address ? &a : NULL };
	INT_IS(nft_read_set(&f->nft, set_info(set)->name, on_elem, &r), 0);
	return r;
}

static void test_bits_stand_in_their_halves(void)
{
	struct firewall f;
	open_firewall(&f);
	list(&f, "198.51.100.1", 1, 100);
	list(&f, "198.51.100.1", 1ULL << 63 | 2, 100);
	list(&f, "2001:db8::1", 4, 100);
	apply(&f);
	INT_IS(read_one(&f, SET_LISTED4_LO, "198.51.100.1").bits, 3);
	INT_IS(read_one(&f, SET_LISTED4_HI, "198.51.100.1").bits, 0x80000000);
	INT_IS(read_one(&f, SET_LISTED6_LO, "2001:db8::1").bits, 4);
	INT_IS(read_one(&f, SET_LISTED6_HI, NULL).count, 0);
	firewall_fini(&f);
}

static void test_another_bit_joins_what_is_there(void)
{
	struct firewall f;
	open_firewall(&f);
	list(&f, "198.51.100.1", 1, 100);
	apply(&f);
	list(&f, "198.51.100.1", 4, 100);
	apply(&f);
	INT_IS(read_one(&f, SET_LISTED4_LO, "198.51.100.1").bits, 5);
	struct addr a = parse("198.51.100.1");
	feed_unlist(&f.feed, &a, 1);
	apply(&f);
	INT_IS(read_one(&f, SET_LISTED4_LO, "198.51.100.1").bits, 4);
	feed_unlist(&f.feed, &a, 4);
	apply(&f);
	INT_IS(read_one(&f, SET_LISTED4_LO, NULL).count, 0);
	firewall_fini(&f);
}

static void test_an_element_is_refreshed(void)
{
	struct firewall f;
	open_firewall(&f);
	list(&f, "198.51.100.1", 1, 100);
	apply(&f);
	list(&f, "198.51.100.1", 1, 5000);
	apply(&f);
	OK(read_one(&f, SET_LISTED4_LO, "198.51.100.1").expires_ms > 4000000);
	uint64_t updates = f.updates;
	list(&f, "198.51.100.1", 1, 5000); /* nothing new */
	apply(&f);
	INT_IS(f.updates, updates);
	firewall_fini(&f);
}

/* The kernel has lost it, or has it where we think that it ended. */
static void test_differences_with_the_kernel_do_no_harm(void)
{
	struct firewall f;
	open_firewall(&f);
	list(&f, "198.51.100.1", 1, 100);
	apply(&f);
	struct addr a = parse("198.51.100.1"), device = parse("10.9.0.2");
	feed_allow(&f.feed, &device, &a, 100);
	apply(&f);
	timed_remove(&f.feed.tables[FEED_STRICT4], (uint8_t[]){ 10, 9, 0, 2, 198, 51, 100, 1 });
	feed_allow(&f.feed, &device, &a, 100);
	struct timed_entry e = { 1, f.feed.now_s + 50 };
	timed_set(&f.feed.tables[FEED_LISTED4], parse("198.51.100.9").bytes, e);
	list(&f, "198.51.100.9", 2, 100);
	uint64_t rewrites = f.rewrites;
	apply(&f);
	INT_IS(f.rewrites, rewrites);
	INT_IS(read_one(&f, SET_LISTED4_LO, "198.51.100.9").bits, 3);
	firewall_fini(&f);
}

static void test_a_freed_bit_is_cleared(void)
{
	struct firewall f;
	open_firewall(&f);
	list(&f, "198.51.100.1", 3, 100);
	list(&f, "198.51.100.2", 2, 100);
	apply(&f);
	INT_IS(feed_clear_bits(&f.feed, 2), 0);
	apply(&f);
	INT_IS(read_one(&f, SET_LISTED4_LO, NULL).count, 1);
	INT_IS(read_one(&f, SET_LISTED4_LO, "198.51.100.1").bits, 1);
	firewall_fini(&f);
}

static void test_a_device_that_goes_takes_its_destinations(void)
{
	struct firewall f;
	open_firewall(&f);
	struct addr two = parse("10.9.0.2"), three = parse("10.9.0.3"), to = parse("198.51.100.1");
	INT_IS(firewall_set_device(&f, "wgT", &two, PROFILE_FULL | MARK_STRICT), 0);
	feed_allow(&f.feed, &two, &to, 0);
	feed_allow(&f.feed, &three, &to, 0);
	apply(&f);
	INT_IS(read_one(&f, SET_STRICT4, NULL).count, 2);
	firewall_remove_device(&f, "wgT", &two);
	apply(&f);
	INT_IS(read_one(&f, SET_STRICT4, NULL).count, 1);
	firewall_fini(&f);
}

/* Both before the kernel has heard of either. */
static void test_who_has_a_freed_address_keeps_what_it_is_told(void)
{
	struct firewall f;
	open_firewall(&f);
	struct addr two = parse("10.9.0.2"), a = parse("198.51.100.1"), b = parse("198.51.100.2");
	INT_IS(firewall_set_device(&f, "wgT", &two, PROFILE_FULL | MARK_STRICT), 0);
	feed_allow(&f.feed, &two, &a, 0);
	apply(&f);
	size_t count = read_one(&f, SET_STRICT4, NULL).count; /* others' are there too */
	firewall_remove_device(&f, "wgT", &two);
	OK(!feed_is_allowed(&f.feed, &two, &a));
	INT_IS(firewall_set_device(&f, "wgT", &two, PROFILE_FULL | MARK_STRICT), 0);
	feed_allow(&f.feed, &two, &b, 0);
	apply(&f);
	INT_IS(read_one(&f, SET_STRICT4, NULL).count, count);
	OK(feed_is_allowed(&f.feed, &two, &b) && !feed_is_allowed(&f.feed, &two, &a));
	firewall_fini(&f);
}

static void test_what_was_fed_outlives_a_restart(void)
{
	struct firewall f;
	open_firewall(&f);
	list(&f, "198.51.100.1", 1ULL << 40 | 1, 100);
	apply(&f);
	firewall_fini(&f);
	open_firewall(&f);
	INT_IS(firewall_adopt_devices(&f), 0);
	list(&f, "198.51.100.1", 2, 100);
	apply(&f);
	INT_IS(read_one(&f, SET_LISTED4_LO, "198.51.100.1").bits, 3);
	INT_IS(read_one(&f, SET_LISTED4_HI, "198.51.100.1").bits, 256);
	firewall_fini(&f);
}

static void test_what_was_fed_outlives_a_lost_table(void)
{
	struct firewall f;
	open_firewall(&f);
	list(&f, "198.51.100.1", 1, 100);
	apply(&f);
	INT_IS(system("nft delete table inet culvert"), 0);
	firewall_distrust(&f);
	apply(&f);
	INT_IS(read_one(&f, SET_LISTED4_LO, "198.51.100.1").bits, 1);
	firewall_fini(&f);
}

/* Whatever the age of the machine's clock: an hour stays an hour. */
static void test_a_restart_keeps_the_time_that_is_left(void)
{
	struct firewall f;
	for (int i = 0; i < 3; i++) {
		open_firewall(&f);
		INT_IS(firewall_adopt_devices(&f), 0);
		if (i == 0)
			list(&f, "198.51.100.77", 1, 3600);
		apply(&f);
		firewall_distrust_fed(&f);
		apply(&f);
		struct addr a;
		struct timed_entry e;
		addr_parse("198.51.100.77", &a);
		OK(timed_get(&f.feed.tables[FEED_LISTED4], a.bytes, &e));
		OK(e.expires_s > f.feed.now_s + 3500 && e.expires_s <= f.feed.now_s + 3610);
		firewall_fini(&f);
	}
}

static void test_takes_100000_addresses(void)
{
	struct firewall f;
	open_firewall(&f);
	firewall_distrust_fed(&f); /* and forget what the tests before left */
	apply(&f);
	for (uint32_t i = 0; i < 100000; i++) {
		struct addr a = { .family = AF_INET,
			.bytes = { 203, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
		if (feed_list(&f.feed, &a, 1, 100, NULL))
			OK(false);
	}
	apply(&f);
	INT_IS(read_one(&f, SET_LISTED4_LO, NULL).count, 100000);
	INT_IS(feed_clear_bits(&f.feed, 1), 0);
	apply(&f);
	INT_IS(read_one(&f, SET_LISTED4_LO, NULL).count, 0);
	firewall_fini(&f);
}

static void test_local_addresses_are_not_fed(void)
{
	static const char *const never[] = { "0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1",
		"255.255.255.255", "::", "::1", "fe80::1", "ff02::1" };
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
		struct addr a = parse(never[i]);
		OK(!addr_is_destination(&a));
	}
	struct addr a = parse("10.0.0.1"), b = parse("2001:db8::1");
	OK(addr_is_destination(&a) && addr_is_destination(&b));
}

static void count_limit(void *arg, const char *name)
{
	(void)name;
	++*(size_t *)arg;
}

static size_t limits(struct firewall *f)
{
	size_t n = 0;
	INT_IS(nft_read_limits(&f->nft, count_limit, &n), 0);
	return n;
}

static void test_addresses_of_a_device_share_its_limits(void)
{
	struct firewall f;
	open_firewall(&f);
	struct addr four = parse("10.9.0.2"), six = parse("fd09::2");
	INT_IS(firewall_set_rate(&f, "wgT", &four, &four, 1000), 0);
	INT_IS(firewall_set_rate(&f, "wgT", &six, &four, 1000), 0);
	apply(&f);
	INT_IS(limits(&f), 2);
	INT_IS(read_one(&f, SET_UPLOAD4, NULL).count, 1);
	INT_IS(read_one(&f, SET_DOWNLOAD6, NULL).count, 1);
	/* Another rate is another limit, the old one goes. */
	INT_IS(firewall_set_rate(&f, "wgT", &four, &four, 2000), 0);
	INT_IS(firewall_set_rate(&f, "wgT", &six, &four, 2000), 0);
	apply(&f);
	INT_IS(limits(&f), 2);
	firewall_fini(&f);
	/* The next run knows them again, and removes them. */
	open_firewall(&f);
	apply(&f);
	INT_IS(limits(&f), 0);
	INT_IS(read_one(&f, SET_UPLOAD4, NULL).count, 0);
	firewall_fini(&f);
}

static void test_a_limit_s_name_tells_all(void)
{
	struct limit_value v = { .kbit = 1500, .down = 1, .family = AF_INET6 }, back;
	struct addr a = parse("fd09::2");
	char name[LIMIT_NAME_LEN];
	memcpy(v.addr, a.bytes, sizeof(v.addr));
	limit_name_format(&v, name);
	STR_IS(name, "down_1500_fd09__2");
	INT_IS(limit_name_parse(name, &back), 0);
	OK(!memcmp(&v, &back, sizeof(v)));
	INT_IS(limit_name_parse("down_x", &back), -EINVAL);
	INT_IS(limit_name_parse("up_5_nowhere", &back), -EINVAL);
}

static void test_255_masks_fit_the_kernel(void)
{
	struct firewall f;
	struct combination *c;
	bool is_new;
	open_firewall(&f);
	for (uint64_t i = 1; i <= 300; i++)
		masks_take(&f.masks, (struct list_bits){ i << 28, i }, &c, &is_new);
	masks_settle(&f.masks);
	INT_IS(firewall_masks_changed(&f), 0);
	apply(&f);
	INT_IS(read_one(&f, SET_MASKS, NULL).count, 255);
	firewall_fini(&f);
}

static void test_marks_leave_the_lowest_bits(void)
{
	struct firewall f;
	open_firewall(&f);
	f.options.mark_shift = MARK_SHIFT_MAX;
	INT_IS(firewall_profiles_changed(&f), 0);
	struct addr a = parse("10.9.0.2");
	INT_IS(firewall_set_device(&f, "wgT", &a, PROFILE_FULL), 0);
	apply(&f);
	INT_IS(read_one(&f, SET_DEVICES4, NULL).count, 1);
	firewall_fini(&f);
	/* Who reads marks otherwise does not take them over. */
	open_firewall(&f);
	INT_IS(firewall_adopt_devices(&f), 0);
	INT_IS(firewall_device_count(&f), 0);
	firewall_fini(&f);
}

int main(void)
{
	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no right to make a network namespace\n");
		return 0;
	}
	TAP_RUN(test_bits_stand_in_their_halves);
	TAP_RUN(test_another_bit_joins_what_is_there);
	TAP_RUN(test_an_element_is_refreshed);
	TAP_RUN(test_differences_with_the_kernel_do_no_harm);
	TAP_RUN(test_a_freed_bit_is_cleared);
	TAP_RUN(test_a_device_that_goes_takes_its_destinations);
	TAP_RUN(test_who_has_a_freed_address_keeps_what_it_is_told);
	TAP_RUN(test_what_was_fed_outlives_a_restart);
	TAP_RUN(test_what_was_fed_outlives_a_lost_table);
	TAP_RUN(test_a_restart_keeps_the_time_that_is_left);
	TAP_RUN(test_takes_100000_addresses);
	TAP_RUN(test_local_addresses_are_not_fed);
	TAP_RUN(test_addresses_of_a_device_share_its_limits);
	TAP_RUN(test_a_limit_s_name_tells_all);
	TAP_RUN(test_255_masks_fit_the_kernel);
	TAP_RUN(test_marks_leave_the_lowest_bits);
	return tap_done();
}
