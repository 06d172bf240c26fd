/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/objects.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnftnl/object.h>
#include <linux/netfilter/nf_tables.h>

void object_write_table(struct nft_batch *b, uint16_t type, const char *label)
{
	struct nlmsghdr *msg =
		nft_message(b, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, "%s", label);
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_TABLE_NAME, NFT_TABLE);
	nft_message_end(b, msg);
}

void object_write_chain(struct nft_batch *b, const struct chain *c)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "chain %s", c->name);
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_CHAIN_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, NFTA_CHAIN_NAME, c->name);
	if (c->type) {
		struct nlattr *hook = mnl_attr_nest_start(msg, NFTA_CHAIN_HOOK);
		mnl_attr_put_u32(msg, NFTA_HOOK_HOOKNUM, htonl(c->hook));
		mnl_attr_put_u32(msg, NFTA_HOOK_PRIORITY, htonl((uint32_t)c->priority));
		mnl_attr_nest_end(msg, hook);
		mnl_attr_put_u32(msg, NFTA_CHAIN_POLICY, htonl(c->policy));
		mnl_attr_put_strz(msg, NFTA_CHAIN_TYPE, c->type);
	}
	nft_message_end(b, msg);
}

void object_write_counter(struct nft_batch *b, const char *name)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_NEWOBJ, NLM_F_CREATE, "counter %s", name);
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_OBJ_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(msg, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	struct nlattr *data = mnl_attr_nest_start(msg, NFTA_OBJ_DATA);
	mnl_attr_nest_end(msg, data);
	nft_message_end(b, msg);
}

void object_write_flush(struct nft_batch *b)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_DELRULE, 0, "flush of all rules");
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_RULE_TABLE, NFT_TABLE);
	nft_message_end(b, msg);
}

void object_write_limit(struct nft_batch *b, const char *name, uint64_t bytes_per_s)
{
	/* The kernel's bucket holds a second's bytes and the burst. Packets may come joined to
	 * 64 KiB: in a smaller one nothing would ever pass. */
	enum { BUCKET_MIN = 256 << 10 };
	uint64_t burst = bytes_per_s < BUCKET_MIN ? BUCKET_MIN - bytes_per_s : 0;
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_NEWOBJ, NLM_F_CREATE, "limit %s", name);
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_OBJ_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(msg, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_LIMIT));
	struct nlattr *data = mnl_attr_nest_start(msg, NFTA_OBJ_DATA);
	mnl_attr_put_u64(msg, NFTA_LIMIT_RATE, htobe64(bytes_per_s));
	mnl_attr_put_u64(msg, NFTA_LIMIT_UNIT, htobe64(1));
	mnl_attr_put_u32(msg, NFTA_LIMIT_BURST, htonl((uint32_t)burst));
	mnl_attr_put_u32(msg, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKT_BYTES));
	mnl_attr_put_u32(msg, NFTA_LIMIT_FLAGS, htonl(NFT_LIMIT_F_INV));
	mnl_attr_nest_end(msg, data);
	nft_message_end(b, msg);
}

void object_delete_limit(struct nft_batch *b, const char *name)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_DELOBJ, 0, "limit %s", name);
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_OBJ_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(msg, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_LIMIT));
	nft_message_end(b, msg);
}
