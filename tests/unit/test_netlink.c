/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/netlink.h"

#include "tests/unit/tap.h"
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>

/* The tests run in a network namespace of their own. */

static int on_link(const struct nlmsghdr *msg, void *arg)
{
	(void)msg;
	++*(int *)arg;
	return 0;
}

static void lo_up(struct nlmsghdr *msg)
{
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(msg, sizeof(*ifi));
	ifi->ifi_index = (int)if_nametoindex("lo");
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
}

static void test_dump_reads_every_link(void)
{
	struct nl nl = { 0 };
	uint8_t buf[512];
	int count = 0;
	INT_IS(nl_open(&nl, NETLINK_ROUTE), 0);
	struct nlmsghdr *msg = nl_prepare(&nl, buf, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(msg, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	INT_IS(nl_dump(&nl, msg, on_link, NULL, &count), 0);
	OK(count >= 1);
	nl_close(&nl);
}

static void test_request_returns_the_kernels_error(void)
{
	struct nl nl = { 0 };
	uint8_t buf[512];
	INT_IS(nl_open(&nl, NETLINK_ROUTE), 0);
	struct nlmsghdr *msg = nl_prepare(&nl, buf, RTM_DELLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(msg, sizeof(*ifi));
	ifi->ifi_index = 12345;
	INT_IS(nl_request(&nl, msg, NULL, NULL), -ENODEV);
	nl_close(&nl);
}

static int on_stop(const struct nlmsghdr *msg, void *arg)
{
	(void)msg, (void)arg;
	return -ECANCELED;
}

static void test_callback_ends_the_reading(void)
{
	struct nl nl = { 0 };
	uint8_t buf[512];
	INT_IS(nl_open(&nl, NETLINK_ROUTE), 0);
	struct nlmsghdr *msg = nl_prepare(&nl, buf, RTM_GETLINK, 0);
	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	INT_IS(nl_dump(&nl, msg, on_stop, NULL, NULL), -ECANCELED);
	int count = 0;
	msg = nl_prepare(&nl, buf, RTM_GETLINK, 0);
	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	INT_IS(nl_dump(&nl, msg, on_link, NULL, &count), 0);
	OK(count >= 1);
	nl_close(&nl);
}

static void on_refused(uint32_t seq, int error, void *arg)
{
	uint32_t *got = arg;
	got[0] = seq;
	got[1] = (uint32_t)-error;
	got[2]++;
}

static void test_batch_names_the_refused_message(void)
{
	struct nl nl = { 0 };
	uint8_t buf[2048];
	uint32_t got[3] = { 0 };
	INT_IS(nl_open(&nl, NETLINK_ROUTE), 0);
	struct nlmsghdr *a = nl_prepare(&nl, buf, RTM_DELLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(a, sizeof(*ifi));
	ifi->ifi_index = 12345;
	struct nlmsghdr *b = nl_prepare(&nl, buf + a->nlmsg_len, RTM_NEWLINK, 0);
	lo_up(b);
	INT_IS(nl_send_batch(&nl, buf, a->nlmsg_len + b->nlmsg_len, NULL, on_refused, got),
		-ENODEV);
	INT_IS(got[0], a->nlmsg_seq);
	INT_IS(got[1], ENODEV);
	INT_IS(got[2], 1);
	nl_close(&nl);
}

static void test_family_of_the_controller_is_found(void)
{
	struct nl nl = { 0 };
	uint16_t family = 0;
	INT_IS(nl_open(&nl, NETLINK_GENERIC), 0);
	INT_IS(nl_find_family(&nl, "nlctrl", &family), 0);
	INT_IS(family, GENL_ID_CTRL);
	INT_IS(nl_find_family(&nl, "culvert-none", &family), -ENOENT);
	nl_close(&nl);
}

struct heard {
	int count, closed;
};

static void on_message(struct nl *nl, const struct nlmsghdr *msg)
{
	struct heard *h = nl->data;
	h->count += msg->nlmsg_type == RTM_NEWLINK;
	nl_close_events(nl); /* closing in the callback must be safe */
	nl_close_events(nl);
}

static void on_overrun(struct nl *nl)
{
	(void)nl;
}

static void on_closed(struct nl *nl)
{
	((struct heard *)nl->data)->closed++;
}

static void test_events_arrive_on_the_loop_and_end(void)
{
	static const struct nl_events events = { on_message, on_overrun, on_closed };
	struct heard h = { 0 };
	struct nl nl = { .data = &h }, req = { 0 };
	uv_loop_t loop;
	uint8_t buf[512];
	uv_loop_init(&loop);
	INT_IS(nl_open(&nl, NETLINK_ROUTE), 0);
	INT_IS(nl_join(&nl, RTNLGRP_LINK), 0);
	INT_IS(nl_listen(&nl, &loop, &events), 0);
	INT_IS(nl_open(&req, NETLINK_ROUTE), 0);
	struct nlmsghdr *msg = nl_prepare(&req, buf, RTM_NEWLINK, 0);
	lo_up(msg);
	INT_IS(nl_request(&req, msg, NULL, NULL), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	INT_IS(h.count, 1);
	INT_IS(h.closed, 1);
	nl_close(&req);
	INT_IS(uv_loop_close(&loop), 0);
}

int main(void)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace may be made here\n");
		return 0;
	}
	TAP_RUN(test_events_arrive_on_the_loop_and_end); /* while lo is still down */
	TAP_RUN(test_dump_reads_every_link);
	TAP_RUN(test_request_returns_the_kernels_error);
	TAP_RUN(test_callback_ends_the_reading);
	TAP_RUN(test_batch_names_the_refused_message);
	TAP_RUN(test_family_of_the_controller_is_found);
	return tap_done();
}
