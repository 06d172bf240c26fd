/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/sets.h"

#include <errno.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of nft's data types; a concatenation is 6 bits each. */
enum { TYPE_NFPROTO = 2, TYPE_IPV4 = 7, TYPE_IPV6 = 8, TYPE_MARK = 19, TYPE_IFNAME = 41 };
#define CONCAT(a, b) ((a) << 6 | (b))
enum { IFNAME_LEN = 16, IPV4_LEN = 4, IPV6_LEN = 16, MARK_LEN = 4 };

/* clang-format off */
static const struct set_info infos[SETS] = {
	[SET_TUNNELS]  = { "tunnels", TYPE_IFNAME, IFNAME_LEN, 0, 0, VALUE_NONE, false },
	[SET_GATEWAY4] = { "gateway4", CONCAT(TYPE_IFNAME, TYPE_IPV4), IFNAME_LEN + IPV4_LEN, 0, 0, VALUE_NONE, false },
	[SET_GATEWAY6] = { "gateway6", CONCAT(TYPE_IFNAME, TYPE_IPV6), IFNAME_LEN + IPV6_LEN, 0, 0, VALUE_NONE, false },
	[SET_LOCAL4]   = { "local4", TYPE_IFNAME, IFNAME_LEN, TYPE_IPV4, IPV4_LEN, VALUE_DATA, false },
	[SET_LOCAL6]   = { "local6", TYPE_IFNAME, IFNAME_LEN, TYPE_IPV6, IPV6_LEN, VALUE_DATA, false },
	[SET_DEVICES4] = { "devices4", CONCAT(TYPE_IFNAME, TYPE_IPV4), IFNAME_LEN + IPV4_LEN, TYPE_MARK, MARK_LEN, VALUE_DATA, false },
	[SET_DEVICES6] = { "devices6", CONCAT(TYPE_IFNAME, TYPE_IPV6), IFNAME_LEN + IPV6_LEN, TYPE_MARK, MARK_LEN, VALUE_DATA, false },
	[SET_PROFILES] = { "profiles", TYPE_MARK, MARK_LEN, NFT_DATA_VERDICT, MARK_LEN, VALUE_PROFILE, false },
	[SET_LAN4]     = { "lan4", TYPE_IPV4, IPV4_LEN, 0, 0, VALUE_NONE, true },
	[SET_LAN6]     = { "lan6", TYPE_IPV6, IPV6_LEN, 0, 0, VALUE_NONE, true },
	[SET_WAN4]     = { "wan4", TYPE_IPV4, IPV4_LEN, 0, 0, VALUE_NONE, true },
	[SET_WAN6]     = { "wan6", TYPE_IPV6, IPV6_LEN, 0, 0, VALUE_NONE, true },
	[SET_DOH4]     = { "doh4", TYPE_IPV4, IPV4_LEN, 0, 0, VALUE_NONE, false },
	[SET_DOH6]     = { "doh6", TYPE_IPV6, IPV6_LEN, 0, 0, VALUE_NONE, false },
	[SET_EPOCH_OK] = { "epoch_ok", TYPE_MARK, MARK_LEN, 0, 0, VALUE_NONE, false },
	[SET_EPOCH]    = { "epoch", TYPE_NFPROTO, 1, TYPE_MARK, MARK_LEN, VALUE_DATA, false },
};
/* clang-format on */

const struct set_info *set_info(enum set_id id)
{
	return &infos[id];
}

static uint32_t byte_order(uint32_t type)
{
	enum { UNKNOWN, HOST_ENDIAN, NETWORK_ENDIAN };
	if (type == TYPE_MARK || type == TYPE_IFNAME)
		return HOST_ENDIAN;
	return type == TYPE_IPV4 || type == TYPE_IPV6 ? NETWORK_ENDIAN : UNKNOWN;
}

/* Tells nft to print marks and names as this host has them. */
static void describe(struct nftnl_set *s, const struct set_info *info)
{
	struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	if (!udata)
		return;
	uint32_t key = byte_order(info->key_type), data = byte_order(info->data_type);
	bool ok = !key || nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_KEYBYTEORDER, key);
	ok = ok && (!data || nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_DATABYTEORDER, data));
	if (ok && (key || data))
		nftnl_set_set_data(s, NFTNL_SET_USERDATA, nftnl_udata_buf_data(udata),
			nftnl_udata_buf_len(udata));
	nftnl_udata_buf_free(udata);
}

static void write_set(struct nft_batch *b, const struct set_info *info, uint32_t id)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_NEWSET, NLM_F_CREATE, "set %s", info->name);
	struct nftnl_set *s = msg ? nftnl_set_alloc() : NULL;
	if (!s) {
		b->failed = -ENOMEM;
		return;
	}
	uint32_t flags =
		(info->interval ? NFT_SET_INTERVAL : 0) | (info->data_type ? NFT_SET_MAP : 0);
	nftnl_set_set_str(s, NFTNL_SET_TABLE, NFT_TABLE);
	nftnl_set_set_str(s, NFTNL_SET_NAME, info->name);
	nftnl_set_set_u32(s, NFTNL_SET_ID, id);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, flags);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, info->key_type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, info->key_len);
	if (info->data_type) {
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, info->data_type);
		nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, info->data_len);
	}
	describe(s, info);
	nftnl_set_nlmsg_build_payload(msg, s);
	nftnl_set_free(s);
	nft_message_end(b, msg);
}

void sets_write(struct nft_batch *b)
{
	for (uint32_t i = 0; i < SETS; i++)
		write_set(b, &infos[i], i + 1);
}

void profile_chain_format(unsigned profile, char out[static PROFILE_CHAIN_LEN])
{
	snprintf(out, PROFILE_CHAIN_LEN, "profile_%u", profile & 0xffff);
}

int profile_chain_parse(const char *text, unsigned *profile)
{
	static const char start[] = "profile_";
	if (strncmp(text, start, sizeof(start) - 1))
		return -EINVAL;
	char *end;
	unsigned long value = strtoul(text + sizeof(start) - 1, &end, 10);
	if (*end || end == text + sizeof(start) - 1 || value > 0xffff)
		return -EINVAL;
	*profile = (unsigned)value;
	return 0;
}
