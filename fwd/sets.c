/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/sets.h"

#include "common/addr.h"
#include <errno.h>
#include <inttypes.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONCAT(a, b) ((a) << TYPE_BITS | (b))
enum { IDS_MAX = 1024 /* twice 256, as a change has the old and the new ones */ };
enum { IFNAME_LEN = 16, IPV4_LEN = 4, IPV6_LEN = 16, MARK_LEN = 4, PORT_LEN = 2 };
enum {
	GC_INTERVAL_MS =
		60000 /* each walk costs time by the million; who expired matches no more */
};

#define IF4	 CONCAT(TYPE_IFNAME, TYPE_IPV4), IFNAME_LEN + IPV4_LEN
#define IF6	 CONCAT(TYPE_IFNAME, TYPE_IPV6), IFNAME_LEN + IPV6_LEN
#define IP4	 TYPE_IPV4, IPV4_LEN
#define IP6	 TYPE_IPV6, IPV6_LEN
#define MARK	 TYPE_MARK, MARK_LEN
#define SET	 0, 0, VALUE_NONE
#define RANGES	 0, 0, VALUE_NONE, true
#define TO_MARK	 TYPE_MARK, MARK_LEN, VALUE_DATA
#define TO_LIMIT 0, sizeof(struct limit_value), VALUE_LIMIT

/* clang-format off */
static const struct set_info infos[SETS] = {
	[SET_TUNNELS]  = { "tunnels", TYPE_IFNAME, IFNAME_LEN, SET, false },
	[SET_GATEWAY4] = { "gateway4", IF4, SET, false },
	[SET_GATEWAY6] = { "gateway6", IF6, SET, false },
	[SET_LOCAL4]   = { "local4", TYPE_IFNAME, IFNAME_LEN, IP4, VALUE_DATA, false },
	[SET_LOCAL6]   = { "local6", TYPE_IFNAME, IFNAME_LEN, IP6, VALUE_DATA, false },
	[SET_OWN4]     = { "own4", IP4, SET, false },
	[SET_OWN6]     = { "own6", IP6, SET, false },
	[SET_DEVICES4] = { "devices4", IF4, TO_MARK, false },
	[SET_DEVICES6] = { "devices6", IF6, TO_MARK, false },
	[SET_PROFILES] = { "profiles", MARK, NFT_DATA_VERDICT, MARK_LEN, VALUE_PROFILE, false },
	[SET_MASKS]    = { "masks", MARK, NFT_DATA_VERDICT, MARK_LEN, VALUE_MASK, false },
	[SET_LAN4]     = { "lan4", IP4, RANGES },
	[SET_LAN6]     = { "lan6", IP6, RANGES },
	[SET_WAN4]     = { "wan4", IP4, RANGES },
	[SET_WAN6]     = { "wan6", IP6, RANGES },
	[SET_EMBEDDED6] = { "embedded6", IP6, RANGES },
	[SET_DOH4]     = { "doh4", IP4, SET, false },
	[SET_DOH6]     = { "doh6", IP6, SET, false },
	[SET_JUDGED_PORTS] = { "judged_ports", TYPE_SERVICE, PORT_LEN, SET, false },
	[SET_DENIED_TCP] = { "denied_tcp", TYPE_SERVICE, PORT_LEN, RANGES },
	[SET_DENIED_UDP] = { "denied_udp", TYPE_SERVICE, PORT_LEN, RANGES },
	[SET_DENIED_PROTOCOLS] = { "denied_protocols", TYPE_PROTOCOL, 1, SET, false },
	[SET_WEB_TCP]  = { "web_tcp", TYPE_SERVICE, PORT_LEN, RANGES },
	[SET_WEB_UDP]  = { "web_udp", TYPE_SERVICE, PORT_LEN, RANGES },
	[SET_GUARD4]   = { "guard4", IP4, RANGES },
	[SET_GUARD6]   = { "guard6", IP6, RANGES },
	[SET_UPLOAD4]  = { "upload4", IF4, TO_LIMIT, false },
	[SET_UPLOAD6]  = { "upload6", IF6, TO_LIMIT, false },
	[SET_DOWNLOAD4] = { "download4", IF4, TO_LIMIT, false },
	[SET_DOWNLOAD6] = { "download6", IF6, TO_LIMIT, false },
	[SET_EPOCH_OK] = { "epoch_ok", MARK, SET, false },
	[SET_EPOCH]    = { "epoch", TYPE_NFPROTO, 1, TO_MARK, false },
	[SET_EPOCH_LIMITED] = { "epoch_limited", TYPE_NFPROTO, 1, TO_MARK, false },
	[SET_EPOCH_PATH] = { "epoch_path", TYPE_NFPROTO, 1, TO_MARK, false },
	[SET_EPOCH_PATH_LIMITED] = { "epoch_path_limited", TYPE_NFPROTO, 1, TO_MARK, false },
	[SET_EPOCH_QUIC] = { "epoch_quic", TYPE_NFPROTO, 1, TO_MARK, false },
	[SET_EPOCH_QUIC_LIMITED] = { "epoch_quic_limited", TYPE_NFPROTO, 1, TO_MARK, false },
	[SET_EPOCH_PASSED] = { "epoch_passed", TYPE_NFPROTO, 1, TO_MARK, false },
	[SET_EPOCH_PASSED_LIMITED] = { "epoch_passed_limited", TYPE_NFPROTO, 1, TO_MARK, false },
	[SET_LISTED4_LO] = { "listed4_lo", IP4, TO_MARK, false },
	[SET_LISTED6_LO] = { "listed6_lo", IP6, TO_MARK, false },
	[SET_LISTED4_HI] = { "listed4_hi", IP4, TO_MARK, false },
	[SET_LISTED6_HI] = { "listed6_hi", IP6, TO_MARK, false },
	[SET_STRICT4]  = { "strict4", CONCAT(TYPE_IPV4, TYPE_IPV4), 2 * IPV4_LEN, SET, false },
	[SET_STRICT6]  = { "strict6", CONCAT(TYPE_IPV6, TYPE_IPV6), 2 * IPV6_LEN, SET, false },
	[SET_RENEWAL4] = { "renewal4", IP4, SET, false },
	[SET_RENEWAL6] = { "renewal6", IP6, SET, false },
	[SET_REFUSED4] = { "refused4", CONCAT(TYPE_IPV4, TYPE_MARK), IPV4_LEN + MARK_LEN, SET, false },
	[SET_REFUSED6] = { "refused6", CONCAT(TYPE_IPV6, TYPE_MARK), IPV6_LEN + MARK_LEN, SET, false },
	[SET_PROVE4]   = { "prove4", CONCAT(TYPE_IPV4, TYPE_IPV4), 2 * IPV4_LEN, SET, false },
	[SET_PROVE6]   = { "prove6", CONCAT(TYPE_IPV6, TYPE_IPV6), 2 * IPV6_LEN, SET, false },
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
	return type == TYPE_IPV4 || type == TYPE_IPV6 || type == TYPE_SERVICE ? NETWORK_ENDIAN
									      : UNKNOWN;
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

static void set_timeouts(struct nftnl_set *s, uint32_t id)
{
	uint32_t flags = nftnl_set_get_u32(s, NFTNL_SET_FLAGS) | NFT_SET_TIMEOUT;
	nftnl_set_set_u32(s, NFTNL_SET_GC_INTERVAL, GC_INTERVAL_MS);
	if (id >= SETS_COUNTED) {
		uint64_t timeout_s = id >= SETS_PROVED ? PROVE_TIMEOUT_S : REFUSED_TIMEOUT_S;
		nftnl_set_set_u64(s, NFTNL_SET_TIMEOUT, timeout_s * 1000);
		nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, REFUSED_MAX);
	}
	/* Rules add to the counted sets, and refresh in the strict ones. */
	if (id >= SETS_COUNTED || id == SET_STRICT4 || id == SET_STRICT6)
		flags |= NFT_SET_EVAL;
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, flags);
}

static void set_data(struct nftnl_set *s, const struct set_info *info)
{
	uint32_t flags = info->interval ? NFT_SET_INTERVAL : 0;
	if (info->value == VALUE_LIMIT) {
		flags |= NFT_SET_OBJECT;
		nftnl_set_set_u32(s, NFTNL_SET_OBJ_TYPE, NFT_OBJECT_LIMIT);
	} else if (info->data_type) {
		flags |= NFT_SET_MAP;
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, info->data_type);
		nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, info->data_len);
	}
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, flags);
}

static void write_set(struct nft_batch *b, const struct set_info *info, uint32_t id)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_NEWSET, NLM_F_CREATE, "set %s", info->name);
	struct nftnl_set *s = msg ? nftnl_set_alloc() : NULL;
	if (!s) {
		b->failed = -ENOMEM;
		return;
	}
	nftnl_set_set_str(s, NFTNL_SET_TABLE, NFT_TABLE);
	nftnl_set_set_str(s, NFTNL_SET_NAME, info->name);
	nftnl_set_set_u32(s, NFTNL_SET_ID, id + 1);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, info->key_type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, info->key_len);
	set_data(s, info);
	/* A set that says how large it gets has the quickest kind of table. */
	if (id == SET_EPOCH_OK || id == SET_PROFILES || id == SET_MASKS)
		nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, IDS_MAX);
	if (id >= SETS_FED)
		set_timeouts(s, id);
	describe(s, info);
	nftnl_set_nlmsg_build_payload(msg, s);
	nftnl_set_free(s);
	nft_message_end(b, msg);
}

void sets_write(struct nft_batch *b)
{
	for (uint32_t i = 0; i < SETS; i++)
		write_set(b, &infos[i], i);
}

static int chain_parse(const char *start, const char *text, unsigned *number)
{
	size_t len = strlen(start);
	if (strncmp(text, start, len))
		return -EINVAL;
	char *end;
	unsigned long value = strtoul(text + len, &end, 10);
	if (*end || end == text + len || value > 0xffff)
		return -EINVAL;
	*number = (unsigned)value;
	return 0;
}

void profile_chain_format(unsigned profile, char out[static CHAIN_LEN])
{
	snprintf(out, CHAIN_LEN, "profile_%u", profile & 0xffff);
}

int profile_chain_parse(const char *text, unsigned *profile)
{
	return chain_parse("profile_", text, profile);
}

void mask_chain_format(unsigned mask, char out[static CHAIN_LEN])
{
	snprintf(out, CHAIN_LEN, "mask_%u", mask & 0xffff);
}

int mask_chain_parse(const char *text, unsigned *mask)
{
	return chain_parse("mask_", text, mask);
}

void limit_name_format(const struct limit_value *v, char out[static LIMIT_NAME_LEN])
{
	struct addr a = addr_from_bytes(v->family, v->addr);
	char text[ADDR_STRLEN];
	addr_format(&a, text);
	/* A name of nft begins with a letter and has no colon. */
	for (char *c = text; *c; c++)
		if (*c == ':')
			*c = '_';
	snprintf(out, LIMIT_NAME_LEN, "%s_%" PRIu32 "_%s", v->down ? "down" : "up", v->kbit, text);
}

int limit_name_parse(const char *text, struct limit_value *v)
{
	char direction[5], address[ADDR_STRLEN];
	struct addr a;
	*v = (struct limit_value){ 0 };
	if (sscanf(text, "%4[a-z]_%" SCNu32 "_%45s", direction, &v->kbit, address) != 3)
		return -EINVAL;
	for (char *c = address; *c; c++)
		if (*c == '_')
			*c = ':';
	if (addr_parse(address, &a))
		return -EINVAL;
	v->down = strcmp(direction, "down") == 0;
	v->family = a.family;
	memcpy(v->addr, a.bytes, sizeof(v->addr));
	return 0;
}
