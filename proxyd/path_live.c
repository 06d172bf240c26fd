/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/path_live.h"
#include "common/log.h"
#include "fwd/marks.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

#define MESSAGE_MAX 256
#define SEND_BYTES  32768

static void put_tuple(struct nlmsghdr *msg, const struct path_key *key)
{
	bool v6 = key->family == AF_INET6;
	size_t len = v6 ? 16 : 4;
	struct nlattr *tuple = mnl_attr_nest_start(msg, CTA_TUPLE_ORIG);
	struct nlattr *ip = mnl_attr_nest_start(msg, CTA_TUPLE_IP);
	mnl_attr_put(msg, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, len, key->device);
	mnl_attr_put(msg, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, len, key->site);
	mnl_attr_nest_end(msg, ip);
	struct nlattr *proto = mnl_attr_nest_start(msg, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(msg, CTA_PROTO_NUM, key->protocol);
	mnl_attr_put_u16(msg, CTA_PROTO_SRC_PORT, htons(key->device_port));
	mnl_attr_put_u16(msg, CTA_PROTO_DST_PORT, htons(key->site_port));
	mnl_attr_nest_end(msg, proto);
	mnl_attr_nest_end(msg, tuple);
}

static void on_refused(uint32_t seq, int error, void *arg)
{
	(void)seq, (void)error, (void)arg; /* ENOENT: it had ended by itself */
}

static void flush(struct path_live *l)
{
	if (!l->queue.len)
		return;
	int err = nl_send_batch(&l->nl, l->queue.data, l->queue.len, NULL, on_refused, NULL);
	if (err && err != -ENOENT)
		log_warning("connections not cut error=%s", strerror(-err));
	l->queue.len = 0;
}

static void on_flush(struct timer *t)
{
	flush(t->data);
}

int path_live_open(struct path_live *l, uv_loop_t *loop)
{
	*l = (struct path_live){ 0 };
	buf_init(&l->queue, SEND_BYTES * 2);
	int err = nl_open(&l->nl, NETLINK_NETFILTER);
	return err ? err : timer_init(loop, &l->flush, on_flush, l);
}

bool path_live_is_sent(const struct path_live *l)
{
	return !l->queue.len;
}

void path_live_close(struct path_live *l)
{
	if (l->nl.sock)
		flush(l);
	nl_close(&l->nl);
	buf_fini(&l->queue);
	if (l->flush.on_fire)
		timer_close(&l->flush, NULL);
}

void path_live_kill(struct path_live *l, const struct path_key *key)
{
	if (l->queue.len > SEND_BYTES)
		flush(l);
	if (buf_reserve(&l->queue, MESSAGE_MAX))
		return;
	struct nlmsghdr *msg = nl_prepare(&l->nl, l->queue.data + l->queue.len,
		NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, 0);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(msg, sizeof(*nfg));
	nfg->nfgen_family = key->family;
	nfg->version = NFNETLINK_V0;
	put_tuple(msg, key);
	mnl_attr_put_u32(msg, CTA_MARK, htonl((uint32_t)PATH_DENIED << CT_MARK_PATH_SHIFT));
	mnl_attr_put_u32(msg, CTA_MARK_MASK, htonl(CT_MARK_PATH | CT_MARK_PASSED));
	l->queue.len += MNL_ALIGN(msg->nlmsg_len);
	l->killed++;
	if (!timer_is_active(&l->flush))
		timer_start(&l->flush, 0, 0);
}
