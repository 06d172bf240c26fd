/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deletion of connections against the kernel of this machine, in a network namespace of the test's
 * own (F9). */
#include "common/buf.h"
#include "common/netlink.h"
#include "common/timer.h"
#include "fwd/conntrack.h"
#include "tests/unit/tap.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sched.h>

enum { MASK = 0x00ffffff, EPOCH = 7, OLD = 6 };

static void put_tuple(struct nlmsghdr *msg, uint16_t type, const struct addr *from,
	const struct addr *to, uint16_t sport, uint16_t dport)
{
	bool v4 = from->family == AF_INET;
	struct nlattr *tuple = mnl_attr_nest_start(msg, type);
	struct nlattr *ip = mnl_attr_nest_start(msg, CTA_TUPLE_IP);
	mnl_attr_put(msg, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, addr_len(from), from->bytes);
	mnl_attr_put(msg, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, addr_len(to), to->bytes);
	mnl_attr_nest_end(msg, ip);
	struct nlattr *proto = mnl_attr_nest_start(msg, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(msg, CTA_PROTO_NUM, IPPROTO_UDP);
	mnl_attr_put_u16(msg, CTA_PROTO_SRC_PORT, htons(sport));
	mnl_attr_put_u16(msg, CTA_PROTO_DST_PORT, htons(dport));
	mnl_attr_nest_end(msg, proto);
	mnl_attr_nest_end(msg, tuple);
}

/* A UDP flow; behind is the address that answers come to (masquerading), NULL: its own. */
static struct nlmsghdr *put_flow(struct nl *nl, void *buf, const char *from, const char *behind,
	const char *to, uint16_t sport, uint32_t mark)
{
	struct addr a, b, c;
	addr_parse(from, &a);
	addr_parse(to, &b);
	addr_parse(behind ? behind : from, &c);
	struct nlmsghdr *msg = nl_prepare(
		nl, buf, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(msg, sizeof(*nfg));
	nfg->nfgen_family = a.family;
	put_tuple(msg, CTA_TUPLE_ORIG, &a, &b, sport, 443);
	put_tuple(msg, CTA_TUPLE_REPLY, &b, &c, 443, sport);
	mnl_attr_put_u32(msg, CTA_STATUS, htonl(IPS_CONFIRMED));
	mnl_attr_put_u32(msg, CTA_TIMEOUT, htonl(600));
	mnl_attr_put_u32(msg, CTA_MARK, htonl(mark));
	return msg;
}

static void add_flow(struct nl *nl, const char *from, const char *to, uint16_t sport, uint32_t mark)
{
	uint8_t buf[1024];
	INT_IS(nl_request(nl, put_flow(nl, buf, from, NULL, to, sport, mark), NULL, NULL), 0);
}

static int on_flow(const struct nlmsghdr *msg, void *arg)
{
	(void)msg;
	++*(size_t *)arg;
	return 0;
}

static size_t count_flows(struct nl *nl)
{
	uint8_t buf[256];
	size_t n = 0;
	struct nlmsghdr *msg =
		nl_prepare(nl, buf, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, 0);
	mnl_nlmsg_put_extra_header(msg, sizeof(struct nfgenmsg));
	INT_IS(nl_dump(nl, msg, on_flow, NULL, &n), 0);
	return n;
}

static void flush(struct nl *nl)
{
	uint8_t buf[256];
	struct nlmsghdr *msg =
		nl_prepare(nl, buf, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0);
	mnl_nlmsg_put_extra_header(msg, sizeof(struct nfgenmsg));
	INT_IS(nl_request(nl, msg, NULL, NULL), 0);
}

static void add_target(struct conntrack_targets *t, const char *text, bool source)
{
	struct addr a;
	addr_parse(text, &a);
	INT_IS(source ? conntrack_add_source(t, &a) : conntrack_add_destination(t, &a), 0);
}

/* Deletes and gives how many went; *seen may be NULL. */
static size_t cut_flows(struct conntrack_targets *t, size_t *seen)
{
	struct conntrack_result result;
	INT_IS(conntrack_delete(t, MASK, EPOCH, &result), 0);
	conntrack_targets_fini(t);
	if (seen)
		*seen = result.seen;
	return result.deleted;
}

static void test_deletes_a_devices_flows(void)
{
	struct nl nl;
	struct conntrack_targets t;
	size_t seen;
	nl_open(&nl, NETLINK_NETFILTER);
	flush(&nl);
	add_flow(&nl, "10.9.0.2", "198.51.100.1", 1000, OLD);
	add_flow(&nl, "10.9.0.2", "198.51.100.2", 1000, 0);
	add_flow(&nl, "10.9.0.3", "198.51.100.1", 1000, OLD);
	add_flow(&nl, "fd09::2", "2001:db8::1", 1000, OLD);
	add_flow(&nl, "fd09::3", "2001:db8::1", 1000, OLD);
	conntrack_targets_init(&t);
	add_target(&t, "10.9.0.2", true);
	add_target(&t, "fd09::2", true);
	INT_IS(cut_flows(&t, &seen), 3);
	INT_IS(count_flows(&nl), 2);
	INT_IS(seen, 4); /* the kernel filters IPv4 */
	nl_close(&nl);
}

static void test_keeps_what_the_present_epoch_approved(void)
{
	struct nl nl;
	struct conntrack_targets t;
	nl_open(&nl, NETLINK_NETFILTER);
	flush(&nl);
	add_flow(&nl, "10.9.0.2", "198.51.100.1", 1000, EPOCH);
	add_flow(&nl, "10.9.0.2", "198.51.100.1", 1001, EPOCH | 0x42000000);
	add_flow(&nl, "10.9.0.2", "198.51.100.1", 1002, OLD | 0x42000000);
	conntrack_targets_init(&t);
	add_target(&t, "10.9.0.2", true);
	INT_IS(cut_flows(&t, NULL), 1);
	INT_IS(count_flows(&nl), 2);
	nl_close(&nl);
}

static void test_by_destination_only_devices_flows_go(void)
{
	struct nl nl;
	struct conntrack_targets t;
	nl_open(&nl, NETLINK_NETFILTER);
	flush(&nl);
	add_flow(&nl, "10.9.0.2", "198.51.100.1", 1000, OLD);
	add_flow(&nl, "fd09::2", "2001:db8::1", 1000, OLD);
	add_flow(&nl, "203.0.113.1", "198.51.100.1", 1000, 0); /* the gateway's own */
	add_flow(&nl, "10.9.0.2", "198.51.100.2", 1000, OLD);
	conntrack_targets_init(&t);
	add_target(&t, "198.51.100.1", false);
	add_target(&t, "2001:db8::1", false);
	INT_IS(cut_flows(&t, NULL), 2);
	INT_IS(count_flows(&nl), 2);
	nl_close(&nl);
}

static void test_deletes_masqueraded_flows(void)
{
	struct nl nl;
	struct conntrack_targets t;
	uint8_t buf[1024];
	nl_open(&nl, NETLINK_NETFILTER);
	flush(&nl);
	struct nlmsghdr *msg =
		put_flow(&nl, buf, "10.9.0.2", "203.0.113.1", "198.51.100.1", 1000, OLD);
	INT_IS(nl_request(&nl, msg, NULL, NULL), 0);
	conntrack_targets_init(&t);
	add_target(&t, "10.9.0.2", true);
	INT_IS(cut_flows(&t, NULL), 1);
	INT_IS(count_flows(&nl), 0);
	nl_close(&nl);
}

static void test_targets_move(void)
{
	struct conntrack_targets a, b;
	conntrack_targets_init(&a);
	conntrack_targets_init(&b);
	OK(conntrack_targets_are_empty(&a));
	add_target(&a, "10.9.0.2", true);
	add_target(&a, "10.9.0.2", false);
	INT_IS(conntrack_targets_move(&b, &a), 0);
	OK(conntrack_targets_are_empty(&a));
	INT_IS(b.sources.count, 1);
	INT_IS(b.destinations.count, 1);
	conntrack_targets_fini(&a);
	conntrack_targets_fini(&b);
}

/* Flows of 10.9.0.0/16 by the number; a hundred a message. */
static void fill(struct nl *nl, unsigned count)
{
	struct buf queue;
	buf_init(&queue, 0);
	for (unsigned i = 0; i < count; i++) {
		char from[32];
		snprintf(from, sizeof(from), "10.9.%u.%u", i / 250 % 250, i % 250 + 1);
		buf_reserve(&queue, 1024);
		struct nlmsghdr *msg = put_flow(nl, queue.data + queue.len, from, NULL,
			"198.51.100.1", (uint16_t)(1000 + i / 62500), OLD);
		queue.len += MNL_ALIGN(msg->nlmsg_len);
		if (i % 100 == 99) {
			nl_send_batch(nl, queue.data, queue.len, NULL, NULL, NULL);
			buf_reset(&queue);
		}
	}
	buf_fini(&queue);
}

/* Small targets in a large table, and many targets: every flow of theirs goes, no other. */
static void test_large_tables(void)
{
	enum { FLOWS = 60000, MANY = 1000 };
	struct nl nl;
	struct conntrack_targets t;
	size_t seen;
	nl_open(&nl, NETLINK_NETFILTER);
	flush(&nl);
	fill(&nl, FLOWS);
	INT_IS(count_flows(&nl), FLOWS);
	conntrack_targets_init(&t);
	add_target(&t, "10.9.0.1", true);
	uint64_t start = uv_hrtime();
	INT_IS(cut_flows(&t, &seen), 1);
	uint64_t one = uv_hrtime() - start;
	OK(seen < 10);
	conntrack_targets_init(&t);
	for (unsigned i = 0; i < MANY; i++) {
		char text[32];
		snprintf(text, sizeof(text), "10.9.%u.%u", 10 + i / 250, i % 250 + 1);
		add_target(&t, text, true);
	}
	start = uv_hrtime();
	INT_IS(cut_flows(&t, &seen), MANY);
	printf("# of %d flows: one device's %.1f ms, %d devices' %.1f ms\n", FLOWS,
		(double)one / 1e6, MANY, (double)(uv_hrtime() - start) / 1e6);
	INT_IS(count_flows(&nl), FLOWS - MANY - 1);
	nl_close(&nl);
}

int main(void)
{
	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace: %s\n", strerror(errno));
		return 0;
	}
	TAP_RUN(test_deletes_a_devices_flows);
	TAP_RUN(test_keeps_what_the_present_epoch_approved);
	TAP_RUN(test_by_destination_only_devices_flows_go);
	TAP_RUN(test_deletes_masqueraded_flows);
	TAP_RUN(test_targets_move);
	TAP_RUN(test_large_tables);
	return tap_done();
}
