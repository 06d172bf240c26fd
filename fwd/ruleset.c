/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/ruleset.h"

#include "fwd/masks.h"
#include "fwd/objects.h"
#include "fwd/profile.h"
#include "fwd/rules.h"
#include "fwd/sets.h"
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

enum {
	PRIORITY_DSTNAT = -100,
	PRIORITY_FILTER = 0,
	PRIORITY_PATH = 10,
	PRIORITY_PATH_END = 11,
	PRIORITY_SRCNAT = 100,
	PRIORITY_ROUTE = 300, /* the last word on the mark that a packet is routed by */
};

static const struct chain chains[] = {
	{ "nat_in", "nat", NF_INET_PRE_ROUTING, PRIORITY_DSTNAT, NF_ACCEPT },
	{ "route_in", "filter", NF_INET_PRE_ROUTING, PRIORITY_ROUTE, NF_ACCEPT },
	{ "input", "filter", NF_INET_LOCAL_IN, PRIORITY_FILTER, NF_ACCEPT },
	{ "output", "filter", NF_INET_LOCAL_OUT, PRIORITY_FILTER, NF_ACCEPT },
	{ "forward", "filter", NF_INET_FORWARD, PRIORITY_FILTER, NF_DROP },
	{ "path", "filter", NF_INET_FORWARD, PRIORITY_PATH, NF_ACCEPT },
	{ "path_end", "filter", NF_INET_FORWARD, PRIORITY_PATH_END, NF_ACCEPT },
	{ "nat_out", "nat", NF_INET_POST_ROUTING, PRIORITY_SRCNAT, NF_ACCEPT },
	{ .name = "gate" },
	{ .name = "redirect_device" },
	{ .name = "redirect_port" },
	{ .name = "input_device" },
	{ .name = "from_device" },
	{ .name = "from_approved" },
	{ .name = "from_known" },
	{ .name = "to_device" },
	{ .name = "upload" },
	{ .name = "download" },
	{ .name = "judge" },
	{ .name = "judge_device" },
	{ .name = "judge_port" },
	{ .name = "lists" },
	{ .name = "strict" },
	{ .name = "egress" },
	{ .name = "egress_tunnels" },
	{ .name = "path_flow" },
	{ .name = "path_judge" },
	{ .name = "path_up" },
	{ .name = "path_first" },
	{ .name = "path_down" },
	{ .name = "path_queue" },
	{ .name = "path_answer" },
	{ .name = "output_proxyd" },
	{ .name = "output_refuse" },
	{ .name = "approve" },
	{ .name = "refuse" },
	{ .name = "profile_1" },
	{ .name = "profile_2" },
	{ .name = "profile_3" },
	{ .name = "profile_4" },
};

static void write_admin_chain(void *arg, unsigned id, const struct profile *p)
{
	(void)p;
	char name[CHAIN_LEN];
	profile_chain_format(id, name);
	object_write_chain(arg, &(struct chain){ .name = name });
}

static void write_mask_chain(void *arg, unsigned id, const struct list_bits *bits)
{
	(void)bits;
	char name[CHAIN_LEN];
	mask_chain_format(id, name);
	object_write_chain(arg, &(struct chain){ .name = name });
}

static void write_mask_rules(void *arg, unsigned id, const struct list_bits *bits)
{
	write_mask(arg, id, bits);
}

static struct rule_writer make_writer(struct nft_batch *b, const struct ruleset_options *o)
{
	return (struct rule_writer){
		.batch = b, .mark_shift = o->mark_shift, .tunnel = *o->tunnel ? o->tunnel : NULL
	};
}

void ruleset_write_mask(struct nft_batch *b, const struct ruleset_options *o, unsigned id,
	const struct list_bits *bits)
{
	struct rule_writer r = make_writer(b, o);
	write_mask_chain(b, id, bits);
	write_mask(&r, id, bits);
}

void ruleset_write(struct nft_batch *b, const struct ruleset_options *o,
	const struct profiles *profiles, const struct masks *masks, bool anew)
{
	object_write_table(b, NFT_MSG_NEWTABLE, "table");
	if (anew) {
		object_write_table(b, NFT_MSG_DELTABLE, "deleting the table");
		object_write_table(b, NFT_MSG_NEWTABLE, "table anew");
	}
	for (size_t i = 0; i < COUNT(chains); i++)
		object_write_chain(b, &chains[i]);
	profiles_each(profiles, write_admin_chain, b);
	masks_each(masks, write_mask_chain, b);
	for (int i = REASON_NONE + 1; i < REASONS; i++)
		object_write_counter(b, reason_name((enum reason)i));
	sets_write(b);
	object_write_flush(b);

	struct rule_writer r = make_writer(b, o);
	write_gate(&r);
	if (o->guards_routing)
		write_route_in(&r);
	write_redirect(&r, o);
	write_input(&r, o);
	write_output(&r, o);
	write_forward(&r);
	write_limits(&r);
	write_judge(&r, o);
	write_profiles(&r, o, profiles);
	masks_each(masks, write_mask_rules, &r);
	write_egress(&r);
	write_path(&r, o);
	write_ends(&r, o);
	if (o->masquerade)
		write_masquerade(&r);
}

bool ruleset_has_chain(const char *name)
{
	for (size_t i = 0; i < COUNT(chains); i++)
		if (!strcmp(chains[i].name, name))
			return true;
	return false;
}
