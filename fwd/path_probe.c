/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/path_probe.h"

#include "fwd/rule_path.h"
#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <netinet/in.h>

#define PROBE_TABLE "culvert_probe"
#define PROBE_CHAIN "forward"

static void put_table(struct nft_batch *b, uint16_t type)
{
	struct nlmsghdr *msg =
		nft_message(b, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, "probe");
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_TABLE_NAME, PROBE_TABLE);
	nft_message_end(b, msg);
}

static void put_chain(struct nft_batch *b)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "probe");
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_CHAIN_TABLE, PROBE_TABLE);
	mnl_attr_put_strz(msg, NFTA_CHAIN_NAME, PROBE_CHAIN);
	struct nlattr *hook = mnl_attr_nest_start(msg, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(msg, NFTA_HOOK_HOOKNUM, htonl(NF_INET_FORWARD));
	mnl_attr_put_u32(msg, NFTA_HOOK_PRIORITY, htonl(0));
	mnl_attr_nest_end(msg, hook);
	mnl_attr_put_strz(msg, NFTA_CHAIN_TYPE, "filter");
	nft_message_end(b, msg);
}

static void begin(struct rule_writer *r)
{
	rule_begin(r, PROBE_CHAIN);
	if (r->rule)
		nftnl_rule_set_str(r->rule, NFTNL_RULE_TABLE, PROBE_TABLE);
}

static bool can(struct nft *n, bool native)
{
	struct nft_batch b;
	n->genid = 0;
	nft_batch_init(&b, n);
	struct rule_writer r = { .batch = &b };
	put_table(&b, NFT_MSG_NEWTABLE);
	put_chain(&b);
	begin(&r);
	match_l4proto(&r, IPPROTO_TCP);
	match_payload(&r);
	do_strip_tcp_option(&r, 1);
	rule_end(&r);
	begin(&r);
	match_counter_bit(&r, 0, 1);
	do_queue(&r, 0, native);
	rule_end(&r);
	put_table(&b, NFT_MSG_DELTABLE);
	int err = nft_batch_commit(&b);
	nft_batch_fini(&b);
	n->genid = 0;
	return err == 0;
}

enum path_queue_kind path_probe_queue(struct nft *n)
{
	if (can(n, true))
		return PATH_QUEUE_NATIVE;
	return can(n, false) ? PATH_QUEUE_TARGET : PATH_QUEUE_NONE;
}

int path_probe_reader(struct nl *n, uint16_t queue)
{
	enum { LENGTH = 1 }; /* never set: a queue is its reader's */
	uint8_t buf[256];
	struct nlmsghdr *msg = nl_prepare(n, buf, NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG, 0);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(msg, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(queue);
	mnl_attr_put_u32(msg, NFQA_CFG_QUEUE_MAXLEN, htonl(LENGTH));
	int err = nl_request(n, msg, NULL, NULL);
	/* Somebody else's. */
	return err == -EPERM || err == -EBUSY ? 0 : err;
}
