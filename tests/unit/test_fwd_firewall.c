/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ruleset against the kernel of this machine, in a network namespace of the test's own (F1). */
#include "fwd/firewall.h"
#include "fwd/marks.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sched.h>
#include <stdlib.h>

/* A chain whose rules the kernel is to refuse. */
static char broken_chain[32];
void __real_profile_write(const struct profile *p, struct rule_writer *r, const char *chain);
void __wrap_profile_write(const struct profile *p, struct rule_writer *r, const char *chain);
void __wrap_profile_write(const struct profile *p, struct rule_writer *r, const char *chain)
{
	__real_profile_write(p, r, chain);
	if (strcmp(chain, broken_chain))
		return;
	rule_begin(r, chain);
	do_goto(r, "nosuch");
	rule_end(r);
}

static const struct ruleset_options options = {
	.masquerade = true, .dns_port = 53, .proxy_port = 8080, .http_port = 3128, .tls_port = 3129
};

static struct conf_shared make_conf(void)
{
	static struct prefix addresses[2];
	static char name[] = "mitm", interface[] = "wgT";
	static struct conf_tunnel tunnel = {
		.name = name, .interface = interface, .addresses = { addresses, 2 }
	};
	prefix_parse("10.9.0.1/24", &addresses[0]);
	prefix_parse("fd09::1/64", &addresses[1]);
	return (struct conf_shared){ .tunnels = &tunnel, .tunnel_count = 1 };
}

static void open_firewall(struct firewall *f)
{
	struct conf_shared conf = make_conf();
	struct prefix lan[2];
	prefix_parse("10.0.0.0/8", &lan[0]);
	prefix_parse("fc00::/7", &lan[1]);
	INT_IS(firewall_init(f), 0);
	INT_IS(firewall_set_conf(f, &conf, &options), 0);
	INT_IS(firewall_set_lan(f, lan, 2), 0);
}

static void apply(struct firewall *f)
{
	int err = firewall_apply(f);
	if (err)
		printf("# %s\n", f->nft.fault);
	INT_IS(err, 0);
}

static void add_device(struct firewall *f, const char *address, uint32_t mark)
{
	struct addr a;
	addr_parse(address, &a);
	INT_IS(firewall_set_device(f, "wgT", &a, mark), 0);
}

static void count_elem(void *arg, const struct nft_elem *e)
{
	(void)e;
	++*(unsigned *)arg;
}

static unsigned kernel_count(struct firewall *f, const char *set)
{
	unsigned n = 0;
	return nft_read_set(&f->nft, set, count_elem, &n) ? UINT32_MAX : n;
}

static void delete_table(void)
{
	struct nft n;
	struct nft_batch b;
	nft_open(&n);
	nft_batch_init(&b, &n);
	struct nlmsghdr *msg = nft_message(&b, NFT_MSG_DELTABLE, 0, "table");
	mnl_attr_put_strz(msg, NFTA_TABLE_NAME, NFT_TABLE);
	nft_message_end(&b, msg);
	INT_IS(nft_batch_commit(&b), 0);
	nft_batch_fini(&b);
	nft_close(&n);
}

static void test_loads_into_an_empty_kernel(void)
{
	struct firewall f;
	open_firewall(&f);
	apply(&f);
	bool has = false;
	INT_IS(nft_has_table(&f.nft, &has), 0);
	OK(has);
	INT_IS(kernel_count(&f, "tunnels"), 1);
	INT_IS(kernel_count(&f, "profiles"), 4);
	INT_IS(kernel_count(&f, "devices4"), 0);
	firewall_fini(&f);
}

static void test_second_apply_changes_nothing(void)
{
	struct firewall f;
	open_firewall(&f);
	apply(&f);
	uint64_t rewrites = f.rewrites, updates = f.updates;
	apply(&f);
	INT_IS(f.rewrites, rewrites);
	INT_IS(f.updates, updates);
	firewall_fini(&f);
}

static void test_a_device_is_one_element(void)
{
	struct firewall f;
	open_firewall(&f);
	apply(&f);
	uint64_t rewrites = f.rewrites, updates = f.updates;
	add_device(&f, "10.9.0.2", PROFILE_FULL);
	add_device(&f, "fd09::2", PROFILE_FULL);
	uint32_t epoch = f.epoch;
	apply(&f);
	INT_IS(f.rewrites, rewrites);
	INT_IS(f.updates, updates + 1);
	INT_IS(kernel_count(&f, "devices4"), 1);
	INT_IS(kernel_count(&f, "devices6"), 1);
	INT_IS(f.epoch, epoch);
	firewall_fini(&f);
}

/* F9 */
static void test_a_changed_mark_raises_the_epoch(void)
{
	struct firewall f;
	open_firewall(&f);
	add_device(&f, "10.9.0.2", PROFILE_FULL);
	apply(&f);
	uint32_t epoch = f.epoch;
	add_device(&f, "10.9.0.2", PROFILE_WALLED);
	apply(&f);
	INT_IS(f.epoch, epoch + 1);
	INT_IS(kernel_count(&f, "epoch_ok"),
		2); /* as it is, and of flows that passed in their path */
	firewall_fini(&f);
}

static void test_adopts_what_a_former_run_left(void)
{
	struct firewall f;
	open_firewall(&f);
	add_device(&f, "10.9.0.7", PROFILE_FULL);
	apply(&f);
	uint32_t epoch = f.epoch;
	firewall_fini(&f);
	open_firewall(&f);
	INT_IS(firewall_adopt_devices(&f), 0);
	apply(&f);
	OK(kernel_count(&f, "devices4") >= 1);
	OK(f.epoch > epoch);
	firewall_fini(&f);
}

static void test_removes_devices_nobody_wants(void)
{
	struct firewall f;
	open_firewall(&f);
	apply(&f);
	INT_IS(kernel_count(&f, "devices4"), 0);
	firewall_fini(&f);
}

/* MEASURED 1, trap 10 */
static void test_survives_a_foreign_transaction(void)
{
	struct firewall f;
	open_firewall(&f);
	add_device(&f, "10.9.0.2", PROFILE_FULL);
	apply(&f);
	delete_table();
	add_device(&f, "10.9.0.3", PROFILE_FULL);
	firewall_apply(&f); /* finds out, makes the table again */
	apply(&f);
	OK(f.conflicts > 0);
	INT_IS(kernel_count(&f, "devices4"), 2);
	firewall_fini(&f);
}

/* MEASURED 1, traps 6 and 8 */
static void test_takes_50000_devices_in_one_transaction(void)
{
	struct firewall f;
	open_firewall(&f);
	apply(&f);
	for (uint32_t i = 0; i < 50000; i++) {
		struct addr a = { .family = AF_INET,
			.bytes = {
				10, (uint8_t)(100 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i } };
		firewall_set_device(&f, "wgT", &a, PROFILE_INTERNET);
	}
	uint64_t updates = f.updates;
	apply(&f);
	INT_IS(f.updates, updates + 1);
	INT_IS(kernel_count(&f, "devices4"), 50000);
	firewall_fini(&f);
	test_removes_devices_nobody_wants();
}

static void test_lan_change_replaces_the_intervals(void)
{
	struct firewall f;
	open_firewall(&f);
	apply(&f);
	INT_IS(kernel_count(&f, "lan4"), 2);
	struct prefix lan[3];
	prefix_parse("10.0.0.0/8", &lan[0]);
	prefix_parse("11.0.0.0/8", &lan[1]);
	prefix_parse("192.168.0.0/16", &lan[2]);
	INT_IS(firewall_set_lan(&f, lan, 3), 0);
	apply(&f);
	INT_IS(kernel_count(&f, "lan4"), 4);
	INT_IS(kernel_count(&f, "wan4"), 5);
	INT_IS(kernel_count(&f, "lan6"), 0);
	firewall_fini(&f);
}

/* A table of another shape, e.g. of an older version, does not stop the start. */
static void test_replaces_a_table_of_another_shape(void)
{
	delete_table();
	struct nft n;
	struct nft_batch b;
	nft_open(&n);
	nft_batch_init(&b, &n);
	struct nlmsghdr *msg = nft_message(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE, "table");
	mnl_attr_put_strz(msg, NFTA_TABLE_NAME, NFT_TABLE);
	nft_message_end(&b, msg);
	msg = nft_message(&b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "chain");
	mnl_attr_put_strz(msg, NFTA_CHAIN_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, NFTA_CHAIN_NAME, "forward");
	struct nlattr *hook = mnl_attr_nest_start(msg, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(msg, NFTA_HOOK_HOOKNUM, htonl(NF_INET_FORWARD));
	mnl_attr_put_u32(msg, NFTA_HOOK_PRIORITY, htonl(7));
	mnl_attr_nest_end(msg, hook);
	mnl_attr_put_strz(msg, NFTA_CHAIN_TYPE, "filter");
	nft_message_end(&b, msg);
	INT_IS(nft_batch_commit(&b), 0);
	nft_batch_fini(&b);
	nft_close(&n);

	struct firewall f;
	open_firewall(&f);
	add_device(&f, "10.9.0.2", PROFILE_FULL);
	apply(&f);
	INT_IS(kernel_count(&f, "devices4"), 1);
	firewall_fini(&f);
}

/* A combination that goes before the rules are written leaves no element that leads nowhere. */
static void test_a_combination_that_went_blocks_nothing(void)
{
	delete_table();
	struct firewall f;
	struct combination *a, *b;
	bool is_new;
	open_firewall(&f);
	INT_IS(masks_take(&f.masks, (struct list_bits){ .by_address = 1 }, &a, &is_new), 0);
	INT_IS(masks_take(&f.masks, (struct list_bits){ .by_address = 2 }, &b, &is_new), 0);
	INT_IS(firewall_masks_changed(&f), 0);
	masks_drop(&f.masks, a);
	masks_written(&f.masks);
	masks_written(&f.masks);
	apply(&f);
	INT_IS(kernel_count(&f, "masks"), 1);
	firewall_fini(&f);
}

/* A profile whose rules the kernel refuses; the others and all else get into force. */
static void on_profile_refused(void *arg, const char *name, const char *fault)
{
	OK(*fault);
	snprintf(arg, 16, "%s", name);
}

static struct profile make_profile(uint8_t len)
{
	struct profile p = { .rules = calloc(1, sizeof(struct profile_rule)), .count = 1 };
	struct prefix prefix = { .addr = { .family = AF_INET, .bytes = { 192, 0, 2 } },
		.len = len };
	p.rules[0].prefixes = malloc(sizeof(prefix));
	p.rules[0].prefixes[0] = prefix;
	p.rules[0].prefix_count = 1;
	return p;
}

static void test_a_profile_that_the_kernel_refuses_blocks_nothing_else(void)
{
	struct firewall f;
	char refused[16] = "";
	open_firewall(&f);
	f.on_profile_refused = on_profile_refused;
	f.arg = refused;
	struct profile good = make_profile(24), bad = make_profile(24);
	INT_IS(profiles_set(&f.profiles, "good", &good), 0);
	INT_IS(profiles_set(&f.profiles, "bad", &bad), 0);
	INT_IS(firewall_profiles_changed(&f), 0);
	/* The label of a message is what tells whose it was. */
	snprintf(broken_chain, sizeof(broken_chain), "profile_%u",
		profiles_find(&f.profiles, "bad"));
	add_device(&f, "10.9.0.9", PROFILE_FULL);
	apply(&f);
	broken_chain[0] = 0;
	OK(!strcmp(refused, "bad"));
	INT_IS(profiles_find(&f.profiles, "bad"), PROFILE_WALLED);
	OK(profiles_find(&f.profiles, "good") >= PROFILE_ADMIN_FIRST);
	INT_IS(kernel_count(&f, "devices4"), 1);
	INT_IS(kernel_count(&f, "profiles"), 5);
	firewall_fini(&f);
}

static void test_names_the_refused_object(void)
{
	struct nft n;
	struct nft_batch b;
	nft_open(&n);
	nft_batch_init(&b, &n);
	struct nlmsghdr *msg = nft_message(&b, NFT_MSG_DELCHAIN, 0, "chain nosuch");
	mnl_attr_put_strz(msg, NFTA_CHAIN_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, NFTA_CHAIN_NAME, "nosuch");
	nft_message_end(&b, msg);
	INT_IS(nft_batch_commit(&b), -ENOENT);
	OK(strstr(n.fault, "chain nosuch") != NULL);
	nft_batch_fini(&b);
	nft_close(&n);
}

int main(void)
{
	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no right to make a network namespace\n");
		return 0;
	}
	TAP_RUN(test_loads_into_an_empty_kernel);
	if (getenv("FWD_TEST_LIST") && system("nft list ruleset"))
		return 1;
	TAP_RUN(test_second_apply_changes_nothing);
	TAP_RUN(test_a_device_is_one_element);
	TAP_RUN(test_a_changed_mark_raises_the_epoch);
	TAP_RUN(test_adopts_what_a_former_run_left);
	TAP_RUN(test_removes_devices_nobody_wants);
	TAP_RUN(test_survives_a_foreign_transaction);
	TAP_RUN(test_takes_50000_devices_in_one_transaction);
	TAP_RUN(test_lan_change_replaces_the_intervals);
	TAP_RUN(test_replaces_a_table_of_another_shape);
	TAP_RUN(test_a_combination_that_went_blocks_nothing);
	TAP_RUN(test_a_profile_that_the_kernel_refuses_blocks_nothing_else);
	TAP_RUN(test_names_the_refused_object);
	return tap_done();
}
