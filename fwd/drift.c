/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/drift.h"

#include "fwd/nft.h"
#include "fwd/sets.h"
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

enum {
	SETTLE_MS = 1,	       /* one foreign command makes many events */
	INTERVAL_MS = 100,     /* at most so often, whatever others do */
	ROOM_BYTES = 32 << 20, /* own changes come back as events too */
	/* In every message on tables, chains, rules, sets, elements and objects. */
	ATTR_TABLE = 1,
};

static void schedule(struct drift *d)
{
	if (timer_is_active(&d->settle))
		return;
	uint64_t since = clock_mono_ms() - d->last_ms;
	timer_start(&d->settle, since >= INTERVAL_MS ? SETTLE_MS : INTERVAL_MS - since, 0);
}

static bool is_ours(const struct nlmsghdr *msg)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr;
	if (nfg->nfgen_family != NFPROTO_INET)
		return false;
	mnl_attr_for_each (attr, msg, sizeof(*nfg))
		if (mnl_attr_get_type(attr) == ATTR_TABLE)
			return !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) &&
			       !strcmp(mnl_attr_get_str(attr), NFT_TABLE);
	return false;
}

static bool names_fed_set(const struct nlmsghdr *msg, uint16_t type)
{
	const struct nlattr *attr;
	mnl_attr_for_each (attr, msg, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) != type || mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			continue;
		for (int i = SETS_FED; i < SETS_COUNTED; i++)
			if (!strcmp(set_info((enum set_id)i)->name, mnl_attr_get_str(attr)))
				return true;
	}
	return false;
}

static bool is_fed(const struct nlmsghdr *msg)
{
	switch (NFNL_MSG_TYPE(msg->nlmsg_type)) {
	case NFT_MSG_DELTABLE:
		return true;
	case NFT_MSG_NEWSET:
	case NFT_MSG_DELSET:
		return names_fed_set(msg, NFTA_SET_NAME);
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_DELSETELEM:
		return names_fed_set(msg, NFTA_SET_ELEM_LIST_SET);
	default:
		return false;
	}
}

/* What decides on packets; elements only say for whom. */
static bool is_loss(unsigned type)
{
	return type == NFT_MSG_DELTABLE || type == NFT_MSG_NEWTABLE || type == NFT_MSG_DELCHAIN ||
	       type == NFT_MSG_NEWCHAIN || type == NFT_MSG_DELRULE || type == NFT_MSG_NEWRULE;
}

/* Ends the events of one transaction and names its author. */
static void take_author(struct drift *d, const struct nlmsghdr *msg)
{
	const struct nlattr *attr;
	mnl_attr_for_each (attr, msg, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_GEN_PROC_NAME &&
			!mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			snprintf(d->who, sizeof(d->who), "%s", mnl_attr_get_str(attr));
}

static void on_event(struct nl *nl, const struct nlmsghdr *msg)
{
	struct drift *d = nl->data;
	if (msg->nlmsg_pid == d->own_port ||
		NFNL_SUBSYS_ID(msg->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
		mnl_nlmsg_get_payload_len(msg) < sizeof(struct nfgenmsg))
		return;
	if (NFNL_MSG_TYPE(msg->nlmsg_type) == NFT_MSG_NEWGEN) {
		if (d->foreign && !d->who[0])
			take_author(d, msg);
		return;
	}
	if (!is_ours(msg))
		return;
	d->foreign = true;
	d->fed = d->fed || is_fed(msg);
	if (is_loss(NFNL_MSG_TYPE(msg->nlmsg_type)))
		d->ops->on_loss(d->arg);
	schedule(d);
}

static void on_overrun(struct nl *nl)
{
	schedule(nl->data);
}

static void on_settle(struct timer *t)
{
	struct drift *d = t->data;
	bool foreign = d->foreign, fed = d->fed;
	char who[sizeof(d->who)];
	memcpy(who, d->who, sizeof(who));
	d->foreign = d->fed = false;
	d->who[0] = 0;
	d->last_ms = clock_mono_ms();
	d->ops->on_drift(d->arg, foreign, fed, who);
}

int drift_open(
	struct drift *d, uv_loop_t *loop, uint32_t own_port, const struct drift_ops *ops, void *arg)
{
	static const struct nl_events handlers = { on_event, on_overrun, NULL };
	*d = (struct drift){ .own_port = own_port, .ops = ops, .arg = arg };
	d->events.data = d;
	int err = timer_init(loop, &d->settle, on_settle, d);
	if (!err)
		err = nl_open(&d->events, NETLINK_NETFILTER);
	if (err)
		return err;
	nl_set_room(&d->events, ROOM_BYTES);
	err = nl_join(&d->events, NFNLGRP_NFTABLES);
	return err ? err : nl_listen(&d->events, loop, &handlers);
}

void drift_close(struct drift *d)
{
	nl_close_events(&d->events);
	if (d->settle.on_fire)
		timer_close(&d->settle, NULL);
}
