/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/gen.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_MAX = 256 << 20 };

struct nft_label {
	uint32_t seq;
	char what[60];
};

int nft_open(struct nft *n)
{
	*n = (struct nft){ 0 };
	return nl_open(&n->nl, NETLINK_NETFILTER);
}

void nft_close(struct nft *n)
{
	nl_close(&n->nl);
}

uint32_t nft_port(const struct nft *n)
{
	return mnl_socket_get_portid(n->nl.sock);
}

static struct nlmsghdr *prepare(struct nft *n, void *buf, uint16_t type)
{
	struct nlmsghdr *msg = nftnl_nlmsg_build_hdr(buf, type, NFPROTO_INET, 0, ++n->nl.seq);
	msg->nlmsg_flags |= NLM_F_REQUEST;
	return msg;
}

/* ---- batch ---- */

void nft_batch_init(struct nft_batch *b, struct nft *n)
{
	*b = (struct nft_batch){ .nft = n };
	buf_init(&b->buf, BATCH_MAX);
	b->failed = buf_reserve(&b->buf, NFT_MESSAGE_ROOM);
	if (b->failed)
		return;
	struct nlmsghdr *msg = nftnl_batch_begin((char *)b->buf.data, ++n->nl.seq);
	if (n->genid)
		mnl_attr_put_u32(msg, NFNL_BATCH_GENID, htonl(n->genid));
	b->buf.len += MNL_ALIGN(msg->nlmsg_len);
}

void nft_batch_fini(struct nft_batch *b)
{
	buf_fini(&b->buf);
	free(b->labels);
	*b = (struct nft_batch){ 0 };
}

bool nft_batch_is_empty(const struct nft_batch *b)
{
	return b->label_count == 0;
}

static struct nft_label *add_label(struct nft_batch *b)
{
	if (b->label_count == b->label_cap) {
		size_t cap = b->label_cap ? b->label_cap * 2 : 64;
		struct nft_label *labels = realloc(b->labels, cap * sizeof(*labels));
		if (!labels)
			return NULL;
		b->labels = labels;
		b->label_cap = cap;
	}
	struct nft_label *l = &b->labels[b->label_count++];
	l->seq = b->nft->nl.seq;
	return l;
}

struct nlmsghdr *nft_message(
	struct nft_batch *b, uint16_t type, uint16_t flags, const char *fmt, ...)
{
	if (b->failed)
		return NULL;
	b->failed = buf_reserve(&b->buf, NFT_MESSAGE_ROOM);
	if (b->failed)
		return NULL;
	struct nlmsghdr *msg = prepare(b->nft, b->buf.data + b->buf.len, type);
	msg->nlmsg_flags |= flags;
	struct nft_label *label = add_label(b);
	if (!label) {
		b->failed = -ENOMEM;
		return NULL;
	}
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(label->what, sizeof(label->what), fmt, ap);
	va_end(ap);
	return msg;
}

void nft_message_end(struct nft_batch *b, struct nlmsghdr *msg)
{
	b->buf.len += MNL_ALIGN(msg->nlmsg_len);
}

static const char *find_label(const struct nft_batch *b, uint32_t seq)
{
	for (size_t i = 0; i < b->label_count; i++)
		if (b->labels[i].seq == seq)
			return b->labels[i].what;
	return "batch";
}

static void on_refused(uint32_t seq, int error, void *arg)
{
	struct nft_batch *b = arg;
	if (b->nft->fault[0])
		return; /* the first one is the cause */
	snprintf(b->nft->refused, sizeof(b->nft->refused), "%s", find_label(b, seq));
	snprintf(b->nft->fault, sizeof(b->nft->fault), "%s: %s%s%s", b->nft->refused,
		strerror(-error), b->nft->nl.error[0] ? ": " : "", b->nft->nl.error);
}

int nft_batch_commit(struct nft_batch *b)
{
	struct nft *n = b->nft;
	n->fault[0] = n->refused[0] = 0;
	if (!b->failed)
		b->failed = buf_reserve(&b->buf, NFT_MESSAGE_ROOM);
	if (b->failed) {
		snprintf(n->fault, sizeof(n->fault), "batch: %s", strerror(-b->failed));
		return b->failed;
	}
	struct nlmsghdr *end = nftnl_batch_end((char *)b->buf.data + b->buf.len, ++n->nl.seq);
	b->buf.len += MNL_ALIGN(end->nlmsg_len);
	int err = nl_send_batch(&n->nl, b->buf.data, b->buf.len, NULL, on_refused, b);
	if (err == -ENOBUFS) {
		/* The answers were lost: it may have been applied or not. */
		n->genid = 0;
		return -ERESTART;
	}
	if (err) {
		if (!n->fault[0])
			snprintf(n->fault, sizeof(n->fault), "send: %s", strerror(-err));
		return err;
	}
	if (n->genid && ++n->genid == 0)
		n->genid = 1;
	return 0;
}

/* ---- reading ---- */

static int on_genid(const struct nlmsghdr *msg, void *arg)
{
	struct nft *n = arg;
	struct nftnl_gen *gen = nftnl_gen_alloc();
	if (!gen)
		return -ENOMEM;
	if (nftnl_gen_nlmsg_parse(msg, gen) >= 0)
		n->genid = nftnl_gen_get_u32(gen, NFTNL_GEN_ID);
	nftnl_gen_free(gen);
	return 0;
}

int nft_read_genid(struct nft *n)
{
	uint8_t buf[256];
	struct nlmsghdr *msg =
		nftnl_nlmsg_build_hdr((char *)buf, NFT_MSG_GETGEN, AF_UNSPEC, 0, ++n->nl.seq);
	n->genid = 0;
	int err = nl_request(&n->nl, msg, on_genid, n);
	if (err)
		return err;
	return n->genid ? 0 : -EPROTO;
}

int nft_has_table(struct nft *n, bool *has)
{
	uint8_t buf[512];
	struct nlmsghdr *msg = prepare(n, buf, NFT_MSG_GETTABLE);
	mnl_attr_put_strz(msg, NFTA_TABLE_NAME, NFT_TABLE);
	int err = nl_request(&n->nl, msg, NULL, NULL);
	*has = err == 0;
	return err == -ENOENT ? 0 : err;
}

struct set_reading {
	void (*on_elem)(void *arg, const struct nft_elem *e);
	void *arg;
};

static void read_counter(struct nft_elem *out, struct nftnl_set_elem *e)
{
	uint32_t len;
	if (!nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_EXPR))
		return;
	const struct nftnl_expr *expr = nftnl_set_elem_get(e, NFTNL_SET_ELEM_EXPR, &len);
	if (strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), "counter") != 0)
		return;
	out->counted = true;
	out->packets = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_PACKETS);
	out->bytes = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_BYTES);
}

static void read_elem(struct set_reading *r, struct nftnl_set_elem *e)
{
	uint32_t len = 0;
	struct nft_elem out = { 0 };
	out.key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len);
	out.key_len = len;
	if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_FLAGS))
		out.interval_end =
			nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END;
	if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_CHAIN)) {
		out.chain = nftnl_set_elem_get_str(e, NFTNL_SET_ELEM_CHAIN);
	} else if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_DATA)) {
		out.data = nftnl_set_elem_get(e, NFTNL_SET_ELEM_DATA, &len);
		out.data_len = len;
	}
	if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_OBJREF))
		out.object = nftnl_set_elem_get_str(e, NFTNL_SET_ELEM_OBJREF);
	if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_EXPIRATION))
		out.expires_ms = nftnl_set_elem_get_u64(e, NFTNL_SET_ELEM_EXPIRATION);
	read_counter(&out, e);
	if (out.key)
		r->on_elem(r->arg, &out);
}

static int on_set_message(const struct nlmsghdr *msg, void *arg)
{
	struct nftnl_set *set = nftnl_set_alloc();
	if (!set)
		return -ENOMEM;
	int err = 0;
	if (nftnl_set_elems_nlmsg_parse(msg, set) < 0) {
		err = -EPROTO;
		goto out;
	}
	struct nftnl_set_elems_iter *it = nftnl_set_elems_iter_create(set);
	if (!it) {
		err = -ENOMEM;
		goto out;
	}
	for (struct nftnl_set_elem *e; (e = nftnl_set_elems_iter_next(it));)
		read_elem(arg, e);
	nftnl_set_elems_iter_destroy(it);
out:
	nftnl_set_free(set);
	return err;
}

int nft_read_set(struct nft *n, const char *set,
	void (*on_elem)(void *arg, const struct nft_elem *e), void *arg)
{
	uint8_t buf[512];
	struct nlmsghdr *msg = prepare(n, buf, NFT_MSG_GETSETELEM);
	mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_SET, set);
	struct set_reading r = { .on_elem = on_elem, .arg = arg };
	return nl_dump(&n->nl, msg, on_set_message, NULL, &r);
}

struct counter_reading {
	void (*on_counter)(void *arg, const char *name, uint64_t packets, uint64_t bytes);
	void *arg;
};

/* 1: an object of that type of ours, with its name; 0: another; -ENOMEM: libnftnl had no memory for
 * its texts, of which it says nothing. */
static int read_own(
	struct nftnl_obj *obj, const struct nlmsghdr *msg, uint32_t type, const char **name)
{
	if (nftnl_obj_nlmsg_parse(msg, obj) < 0 || nftnl_obj_get_u32(obj, NFTNL_OBJ_TYPE) != type)
		return 0;
	const char *table = nftnl_obj_get_str(obj, NFTNL_OBJ_TABLE);
	*name = nftnl_obj_get_str(obj, NFTNL_OBJ_NAME);
	return table && *name ? !strcmp(table, NFT_TABLE) : -ENOMEM;
}

static int on_counter_message(const struct nlmsghdr *msg, void *arg)
{
	struct counter_reading *r = arg;
	struct nftnl_obj *obj = nftnl_obj_alloc();
	if (!obj)
		return -ENOMEM;
	const char *name;
	int is_ours = read_own(obj, msg, NFT_OBJECT_COUNTER, &name);
	if (is_ours > 0)
		r->on_counter(r->arg, name, nftnl_obj_get_u64(obj, NFTNL_OBJ_CTR_PKTS),
			nftnl_obj_get_u64(obj, NFTNL_OBJ_CTR_BYTES));
	nftnl_obj_free(obj);
	return is_ours < 0 ? is_ours : 0;
}

int nft_read_counters(struct nft *n,
	void (*on_counter)(void *arg, const char *name, uint64_t packets, uint64_t bytes),
	void *arg)
{
	uint8_t buf[512];
	struct nlmsghdr *msg = prepare(n, buf, NFT_MSG_GETOBJ);
	mnl_attr_put_strz(msg, NFTA_OBJ_TABLE, NFT_TABLE);
	mnl_attr_put_u32(msg, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	struct counter_reading r = { .on_counter = on_counter, .arg = arg };
	return nl_dump(&n->nl, msg, on_counter_message, NULL, &r);
}

struct limit_reading {
	void (*on_limit)(void *arg, const char *name);
	void *arg;
};

static int on_limit_message(const struct nlmsghdr *msg, void *arg)
{
	struct limit_reading *r = arg;
	struct nftnl_obj *obj = nftnl_obj_alloc();
	if (!obj)
		return -ENOMEM;
	const char *name;
	int is_ours = read_own(obj, msg, NFT_OBJECT_LIMIT, &name);
	if (is_ours > 0)
		r->on_limit(r->arg, name);
	nftnl_obj_free(obj);
	return is_ours < 0 ? is_ours : 0;
}

int nft_read_limits(struct nft *n, void (*on_limit)(void *arg, const char *name), void *arg)
{
	uint8_t buf[512];
	struct nlmsghdr *msg = prepare(n, buf, NFT_MSG_GETOBJ);
	mnl_attr_put_strz(msg, NFTA_OBJ_TABLE, NFT_TABLE);
	mnl_attr_put_u32(msg, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_LIMIT));
	struct limit_reading r = { .on_limit = on_limit, .arg = arg };
	return nl_dump(&n->nl, msg, on_limit_message, NULL, &r);
}

int nft_read_rules(struct nft *n, nl_message_cb *on_rule, void *arg)
{
	uint8_t buf[512];
	struct nlmsghdr *msg = prepare(n, buf, NFT_MSG_GETRULE);
	mnl_attr_put_strz(msg, NFTA_RULE_TABLE, NFT_TABLE);
	return nl_dump(&n->nl, msg, on_rule, NULL, arg);
}

struct name_reading {
	uint16_t attr; /* that holds the name */
	void (*on_name)(void *arg, const char *name);
	void *arg;
};

static int on_named_message(const struct nlmsghdr *msg, void *arg)
{
	enum { ATTR_TABLE = 1 }; /* of chains and sets alike */
	struct name_reading *r = arg;
	const struct nlattr *attr;
	const char *table = NULL, *name = NULL;
	mnl_attr_for_each (attr, msg, sizeof(struct nfgenmsg)) {
		uint16_t type = mnl_attr_get_type(attr);
		if ((type != ATTR_TABLE && type != r->attr) ||
			mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			continue;
		*(type == ATTR_TABLE ? &table : &name) = mnl_attr_get_str(attr);
	}
	/* A dump of chains is of all tables. */
	if (table && name && !strcmp(table, NFT_TABLE))
		r->on_name(r->arg, name);
	return 0;
}

int nft_read_names(
	struct nft *n, uint16_t type, void (*on_name)(void *arg, const char *name), void *arg)
{
	uint8_t buf[512];
	struct nlmsghdr *msg = prepare(n, buf, type);
	mnl_attr_put_strz(msg, NFTA_SET_TABLE, NFT_TABLE);
	struct name_reading r = { .attr = type == NFT_MSG_GETSET ? NFTA_SET_NAME : NFTA_CHAIN_NAME,
		.on_name = on_name,
		.arg = arg };
	return nl_dump(&n->nl, msg, on_named_message, NULL, &r);
}
