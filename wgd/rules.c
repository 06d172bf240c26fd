/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/rules.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <string.h>

enum { REQUEST_BYTES = 512 };

/* What fwd calls them (fwd/nft.h, fwd/sets.h). */
#define TABLE "culvert"
#define SET   "tunnels"

int rules_find_tunnel(struct nl *nl, const char *interface)
{
	uint8_t buf[REQUEST_BYTES];
	char key[IFNAMSIZ] = "";

	memcpy(key, interface, strnlen(interface, sizeof(key) - 1));
	struct nlmsghdr *msg =
		nl_prepare(nl, buf, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, 0);
	struct nfgenmsg *family = mnl_nlmsg_put_extra_header(msg, sizeof(*family));
	family->nfgen_family = NFPROTO_INET;
	family->version = NFNETLINK_V0;
	mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_SET, SET);
	struct nlattr *list = mnl_attr_nest_start(msg, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *elem = mnl_attr_nest_start(msg, NFTA_LIST_ELEM);
	struct nlattr *data = mnl_attr_nest_start(msg, NFTA_SET_ELEM_KEY);
	mnl_attr_put(msg, NFTA_DATA_VALUE, sizeof(key), key);
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, elem);
	mnl_attr_nest_end(msg, list);
	return nl_request(nl, msg, NULL, NULL);
}
