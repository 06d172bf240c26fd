/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/conntrack.h"

#include "common/buf.h"
#include "common/netlink.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

enum {
	/* Each filtered dump walks the whole table in the kernel, at a tenth of a full one's cost.
	 */
	FILTERED_MAX = 8,
	SEND_BYTES = 32768,
	QUEUE_MAX = 2 * SEND_BYTES,
	ROOM_BYTES = 1 << 20,

	/* Bits of CTA_FILTER_ORIG_FLAGS, in no header for userland (nf_internals.h). */
	FILTER_IP_SRC = 1 << 0,
	FILTER_IP_DST = 1 << 1,
};

/* ---- targets ---- */

enum { KEY_LEN = 17 };

static void make_key(const struct addr *a, uint8_t key[static KEY_LEN])
{
	key[0] = a->family;
	memcpy(key + 1, a->bytes, KEY_LEN - 1);
}

static int add(struct hmap *m, const struct addr *a)
{
	uint8_t key[KEY_LEN];
	make_key(a, key);
	return hmap_set(m, key, sizeof(key), m);
}

static bool has(const struct hmap *m, const struct addr *a)
{
	uint8_t key[KEY_LEN];
	if (m->count == 0)
		return false;
	make_key(a, key);
	return hmap_find(m, key, sizeof(key)) != NULL;
}

void conntrack_targets_init(struct conntrack_targets *t)
{
	hmap_init(&t->sources, NULL);
	hmap_init(&t->destinations, NULL);
}

void conntrack_targets_fini(struct conntrack_targets *t)
{
	hmap_fini(&t->sources);
	hmap_fini(&t->destinations);
}

bool conntrack_targets_are_empty(const struct conntrack_targets *t)
{
	return t->sources.count == 0 && t->destinations.count == 0;
}

int conntrack_add_source(struct conntrack_targets *t, const struct addr *a)
{
	return add(&t->sources, a);
}

int conntrack_add_destination(struct conntrack_targets *t, const struct addr *a)
{
	return add(&t->destinations, a);
}

static int move(struct hmap *to, struct hmap *from)
{
	int err = 0;
	hmap_foreach (from, it) {
		int one = hmap_set(to, it.key, it.len, to);
		err = err ? err : one;
	}
	hmap_clear(from);
	return err;
}

int conntrack_targets_move(struct conntrack_targets *to, struct conntrack_targets *from)
{
	int err = move(&to->sources, &from->sources);
	int second = move(&to->destinations, &from->destinations);
	return err ? err : second;
}

/* ---- entries ---- */

struct entry {
	const struct nlattr *tuple, *zone, *id;
	struct addr source, destination;
	uint32_t mark, status;
	uint8_t family;
};

static struct addr read_addr(const struct nlattr *attr, int family)
{
	size_t want = family == AF_INET ? 4 : 16;
	if (mnl_attr_get_payload_len(attr) != want)
		return (struct addr){ 0 };
	return addr_from_bytes(family, mnl_attr_get_payload(attr));
}

static void read_tuple(struct entry *e)
{
	const struct nlattr *part, *ip;
	mnl_attr_for_each_nested(part, e->tuple)
	{
		if (mnl_attr_get_type(part) != CTA_TUPLE_IP)
			continue;
		mnl_attr_for_each_nested(ip, part) switch (mnl_attr_get_type(ip))
		{
		case CTA_IP_V4_SRC:
		case CTA_IP_V6_SRC:
			e->source = read_addr(ip, e->family);
			break;
		case CTA_IP_V4_DST:
		case CTA_IP_V6_DST:
			e->destination = read_addr(ip, e->family);
			break;
		}
	}
}

static uint32_t read_u32(const struct nlattr *attr)
{
	if (mnl_attr_get_payload_len(attr) != sizeof(uint32_t))
		return 0;
	return ntohl(mnl_attr_get_u32(attr));
}

static bool read_entry(const struct nlmsghdr *msg, struct entry *e)
{
	*e = (struct entry){ 0 };
	if (mnl_nlmsg_get_payload_len(msg) < sizeof(struct nfgenmsg))
		return false;
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(msg);
	e->family = nfg->nfgen_family;
	if (e->family != AF_INET && e->family != AF_INET6)
		return false;
	const struct nlattr *attr;
	mnl_attr_for_each (attr, msg, sizeof(*nfg))
		switch (mnl_attr_get_type(attr)) {
		case CTA_TUPLE_ORIG:
			e->tuple = attr;
			break;
		case CTA_ZONE:
			e->zone = attr;
			break;
		case CTA_ID:
			e->id = attr;
			break;
		case CTA_MARK:
			e->mark = read_u32(attr);
			break;
		case CTA_STATUS:
			e->status = read_u32(attr);
			break;
		}
	if (e->tuple)
		read_tuple(e);
	return e->source.family != 0;
}

/* ---- a run ---- */

struct run {
	const struct conntrack_targets *targets;
	uint32_t mask, epoch;
	struct conntrack_result *result;
	struct nl dump, requests;
	struct buf queue; /* deletions not sent yet */
	size_t queued, refused;
};

static bool is_target(const struct run *r, const struct entry *e)
{
	uint32_t epoch = e->mark & r->mask;
	if (epoch == r->epoch)
		return false;
	if (has(&r->targets->sources, &e->source))
		return true;
	return epoch && !(e->status & IPS_DST_NAT) &&
	       has(&r->targets->destinations, &e->destination);
}

static void on_refused(uint32_t seq, int error, void *arg)
{
	(void)seq, (void)error; /* ENOENT: ended by itself meanwhile */
	struct run *r = arg;
	r->refused++;
}

static int send_queue(struct run *r)
{
	if (r->queued == 0)
		return 0;
	r->refused = 0;
	int err = nl_send_batch(&r->requests, r->queue.data, r->queue.len, NULL, on_refused, r);
	if (r->refused <= r->queued)
		r->result->deleted += r->queued - r->refused;
	r->queue.len = 0;
	r->queued = 0;
	return r->refused || err == -ENOBUFS ? 0 : err;
}

static void put_copy(struct nlmsghdr *msg, const struct nlattr *attr)
{
	if (attr)
		mnl_attr_put(msg, attr->nla_type, mnl_attr_get_payload_len(attr),
			mnl_attr_get_payload(attr));
}

static int queue_deletion(struct run *r, const struct entry *e)
{
	enum { MESSAGE_MAX = 512 };
	int err = r->queue.len > SEND_BYTES ? send_queue(r) : 0;
	if (!err)
		err = buf_reserve(&r->queue, MESSAGE_MAX);
	if (err || mnl_attr_get_len(e->tuple) > MESSAGE_MAX / 2)
		return err;
	struct nlmsghdr *msg = nl_prepare(&r->requests, r->queue.data + r->queue.len,
		NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(msg, sizeof(*nfg));
	nfg->nfgen_family = e->family;
	nfg->version = NFNETLINK_V0;
	put_copy(msg, e->tuple);
	put_copy(msg, e->zone);
	put_copy(msg, e->id);
	r->queue.len += MNL_ALIGN(msg->nlmsg_len);
	r->queued++;
	return 0;
}

static int on_entry(const struct nlmsghdr *msg, void *arg)
{
	struct run *r = arg;
	struct entry e;
	r->result->seen++;
	if (!read_entry(msg, &e) || !is_target(r, &e))
		return 0;
	return queue_deletion(r, &e);
}

static struct nlmsghdr *prepare_dump(struct run *r, void *buf, uint8_t family)
{
	struct nlmsghdr *msg =
		nl_prepare(&r->dump, buf, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, 0);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(msg, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return msg;
}

static int dump_family(struct run *r, uint8_t family)
{
	uint8_t buf[256];
	return nl_dump(&r->dump, prepare_dump(r, buf, family), on_entry, NULL, r);
}

static void put_addr(struct nlmsghdr *msg, const struct addr *a, uint16_t v4, uint16_t v6)
{
	mnl_attr_put(msg, a->family == AF_INET ? v4 : v6, addr_len(a), a->bytes);
}

/* The kernel takes either address only together with the other one's place filled. */
static int dump_one(struct run *r, const uint8_t *key, uint32_t flag)
{
	uint8_t buf[512];
	struct addr a = addr_from_bytes(key[0], key + 1), none = { .family = key[0] };
	struct nlmsghdr *msg = prepare_dump(r, buf, key[0]);
	struct nlattr *tuple = mnl_attr_nest_start(msg, CTA_TUPLE_ORIG);
	struct nlattr *ip = mnl_attr_nest_start(msg, CTA_TUPLE_IP);
	put_addr(msg, flag == FILTER_IP_SRC ? &a : &none, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
	put_addr(msg, flag == FILTER_IP_DST ? &a : &none, CTA_IP_V4_DST, CTA_IP_V6_DST);
	mnl_attr_nest_end(msg, ip);
	mnl_attr_nest_end(msg, tuple);
	struct nlattr *filter = mnl_attr_nest_start(msg, CTA_FILTER);
	mnl_attr_put_u32(msg, CTA_FILTER_ORIG_FLAGS, flag);
	mnl_attr_nest_end(msg, filter);
	return nl_dump(&r->dump, msg, on_entry, NULL, r);
}

static int dump_each(struct run *r, const struct hmap *m, uint32_t flag)
{
	int err = 0;
	hmap_foreach (m, it)
		if (!err && it.key[0] == AF_INET)
			err = dump_one(r, (const uint8_t *)it.key, flag);
	return err;
}

static size_t count_family(const struct conntrack_targets *t, uint8_t family)
{
	size_t n = 0;
	hmap_foreach (&t->sources, it)
		n += (uint8_t)it.key[0] == family;
	hmap_foreach (&t->destinations, it)
		n += (uint8_t)it.key[0] == family;
	return n;
}

static int delete_v4(struct run *r, size_t count)
{
	const struct conntrack_targets *t = r->targets;
	if (count > FILTERED_MAX)
		return dump_family(r, AF_INET);
	int err = dump_each(r, &t->sources, FILTER_IP_SRC);
	if (!err)
		err = dump_each(r, &t->destinations, FILTER_IP_DST);
	return err == -EOPNOTSUPP || err == -EINVAL ? dump_family(r, AF_INET) : err;
}

/* Kernels compare filtered IPv6 addresses the wrong way round (seen with 6.18): never filtered. */
static int delete_all(struct run *r)
{
	size_t v4 = count_family(r->targets, AF_INET), v6 = count_family(r->targets, AF_INET6);
	int err = v4 ? delete_v4(r, v4) : 0;
	if (!err && v6)
		err = dump_family(r, AF_INET6);
	int last = send_queue(r);
	return err ? err : last;
}

int conntrack_delete(const struct conntrack_targets *t, uint32_t mask, uint32_t epoch,
	struct conntrack_result *result)
{
	struct run r = { .targets = t, .mask = mask, .epoch = epoch & mask, .result = result };
	*result = (struct conntrack_result){ 0 };
	buf_init(&r.queue, QUEUE_MAX);
	int err = nl_open(&r.dump, NETLINK_NETFILTER);
	if (!err)
		err = nl_open(&r.requests, NETLINK_NETFILTER);
	if (!err) {
		nl_set_room(&r.requests, ROOM_BYTES);
		err = delete_all(&r);
	}
	nl_close(&r.dump);
	nl_close(&r.requests);
	buf_fini(&r.queue);
	return err;
}
