/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/path_sweep.h"
#include "common/netlink.h"
#include "fwd/marks.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

static void read_ip(const struct nlattr *ip, struct path_key *key)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, ip)
	{
		size_t len = mnl_attr_get_payload_len(attr);
		uint16_t type = mnl_attr_get_type(attr);
		bool is_source = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;

		if (len == (key->family == AF_INET ? 4 : 16))
			memcpy(is_source ? key->device : key->site, mnl_attr_get_payload(attr),
				len);
	}
}

static void read_ports(const struct nlattr *proto, struct path_key *key)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, proto)
	{
		size_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == CTA_PROTO_NUM && len == 1)
			key->protocol = mnl_attr_get_u8(attr);
		if (mnl_attr_get_type(attr) == CTA_PROTO_SRC_PORT && len == 2)
			key->device_port = ntohs(mnl_attr_get_u16(attr));
		if (mnl_attr_get_type(attr) == CTA_PROTO_DST_PORT && len == 2)
			key->site_port = ntohs(mnl_attr_get_u16(attr));
	}
}

static int on_entry(const struct nlmsghdr *msg, void *arg)
{
	struct path_sweep *s = arg;
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(msg);
	struct path_key key = { .family = nfg->nfgen_family };
	const struct nlattr *attr, *part;

	mnl_attr_for_each (attr, msg, sizeof(*nfg)) {
		if (mnl_attr_get_type(attr) != CTA_TUPLE_ORIG)
			continue;
		mnl_attr_for_each_nested(part, attr)
		{
			if (mnl_attr_get_type(part) == CTA_TUPLE_IP)
				read_ip(part, &key);
			if (mnl_attr_get_type(part) == CTA_TUPLE_PROTO)
				read_ports(part, &key);
		}
	}
	return hmap_set(&s->found, &key, sizeof(key), s);
}

static int dump(struct path_sweep *s, struct nl *nl, uint8_t family, uint32_t mask, uint32_t mark)
{
	uint8_t buf[256];
	struct nlmsghdr *msg =
		nl_prepare(nl, buf, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, 0);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(msg, sizeof(*nfg));

	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	mnl_attr_put_u32(msg, CTA_MARK, htonl(mark));
	mnl_attr_put_u32(msg, CTA_MARK_MASK, htonl(mask));
	return nl_dump(nl, msg, on_entry, NULL, s);
}

static void on_work(uv_work_t *work)
{
	static const struct {
		uint32_t mask, mark;
	} kinds[] = { { CT_MARK_PASSED, CT_MARK_PASSED },
		{ CT_MARK_PATH, (uint32_t)PATH_TENTATIVE << CT_MARK_PATH_SHIFT } };
	struct path_sweep *s = work->data;
	struct nl nl = { 0 };

	s->err = nl_open(&nl, NETLINK_NETFILTER);
	for (size_t i = 0; i < 2 && !s->err; i++) {
		s->err = dump(s, &nl, AF_INET, kinds[i].mask, kinds[i].mark);
		if (!s->err)
			s->err = dump(s, &nl, AF_INET6, kinds[i].mask, kinds[i].mark);
	}
	nl_close(&nl);
}

static void on_worked(uv_work_t *work, int status)
{
	struct path_sweep *s = work->data;

	s->is_running = false;
	s->err = status ? status : s->err;
	s->on_done(s->arg, s);
	hmap_clear(&s->found);
}

void path_sweep_init(
	struct path_sweep *s, void (*on_done)(void *arg, struct path_sweep *s), void *arg)
{
	*s = (struct path_sweep){ .on_done = on_done, .arg = arg };
	hmap_init(&s->found, NULL);
}

void path_sweep_fini(struct path_sweep *s)
{
	hmap_fini(&s->found);
}

int path_sweep_start(struct path_sweep *s, uv_loop_t *loop)
{
	if (s->is_running)
		return 0;
	s->work.data = s;
	int err = uv_queue_work(loop, &s->work, on_work, on_worked);
	s->is_running = !err;
	return err;
}
