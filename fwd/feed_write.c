/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/feed_write.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1000 /* more overflow the length of the list's attribute */ };

/* Which part of a table's entries a set holds. */
static const struct fed_set {
	enum set_id set;
	enum feed_table table;
	unsigned shift; /* of the bits */
	bool is_map;
} fed_sets[] = {
	{ SET_LISTED4_LO, FEED_LISTED4, 0, true },
	{ SET_LISTED4_HI, FEED_LISTED4, 32, true },
	{ SET_LISTED6_LO, FEED_LISTED6, 0, true },
	{ SET_LISTED6_HI, FEED_LISTED6, 32, true },
	{ SET_STRICT4, FEED_STRICT4, 0, false },
	{ SET_STRICT6, FEED_STRICT6, 0, false },
	{ SET_RENEWAL4, FEED_RENEWAL4, 0, false },
	{ SET_RENEWAL6, FEED_RENEWAL6, 0, false },
};
enum { FED_SETS = sizeof(fed_sets) / sizeof(*fed_sets) };

/* Writes elements of one set into messages of at most CHUNK. */
struct writer {
	struct nft_batch *batch;
	const struct fed_set *to;
	uint16_t type;
	struct nlmsghdr *msg;
	struct nlattr *list;
	size_t count;
};

static void end_message(struct writer *w)
{
	if (!w->msg)
		return;
	mnl_attr_nest_end(w->msg, w->list);
	nft_message_end(w->batch, w->msg);
	w->msg = NULL;
	w->count = 0;
}

static bool begin_message(struct writer *w)
{
	const char *name = set_info(w->to->set)->name;
	w->msg = nft_message(w->batch, w->type, w->type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0,
		"elements of %s", name);
	if (!w->msg)
		return false;
	mnl_attr_put_strz(w->msg, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(w->msg, NFTA_SET_ELEM_LIST_SET, name);
	w->list = mnl_attr_nest_start(w->msg, NFTA_SET_ELEM_LIST_ELEMENTS);
	return true;
}

static void put_data(struct nlmsghdr *msg, uint16_t type, const void *data, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(msg, type);
	mnl_attr_put(msg, NFTA_DATA_VALUE, len, data);
	mnl_attr_nest_end(msg, nest);
}

static void put_element(struct writer *w, const uint8_t *key, uint64_t bits, uint32_t timeout_s)
{
	if (!w->msg && !begin_message(w))
		return;
	uint32_t part = (uint32_t)(bits >> w->to->shift);
	struct nlattr *nest = mnl_attr_nest_start(w->msg, NFTA_LIST_ELEM);
	put_data(w->msg, NFTA_SET_ELEM_KEY, key, set_info(w->to->set)->key_len);
	if (w->type == NFT_MSG_NEWSETELEM) {
		mnl_attr_put_u64(w->msg, NFTA_SET_ELEM_TIMEOUT, htobe64(timeout_s * 1000ULL));
		if (w->to->is_map)
			put_data(w->msg, NFTA_SET_ELEM_DATA, &part, sizeof(part));
	}
	mnl_attr_nest_end(w->msg, nest);
	if (++w->count == CHUNK)
		end_message(w);
}

/* A map has no element whose bits are all 0. */
static bool is_in(const struct fed_set *to, bool there, uint64_t bits)
{
	return there && (!to->is_map || (uint32_t)(bits >> to->shift));
}

static uint32_t remaining(const struct feed *f, uint32_t expires_s)
{
	return expires_s > f->now_s ? expires_s - f->now_s : 1;
}

enum pass { PASS_OLD, PASS_DELETE, PASS_NEW, PASSES };

/*
 * The kernel may have forgotten the old element by now, or a rule may have refreshed it, and to
 * delete what is not there fails the whole batch. Therefore it is added as it was (which does
 * nothing where it is), deleted, and added as it should be.
 */
static void write_pass(
	struct feed *f, struct nft_batch *b, const struct fed_set *to, enum pass pass)
{
	struct writer w = { .batch = b,
		.to = to,
		.type = pass == PASS_DELETE ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM };
	hmap_foreach (&f->changes, it) {
		const struct feed_change *c = it.value;
		if (c->table != to->table)
			continue;
		if (pass == PASS_NEW) {
			if (is_in(to, c->has, c->bits))
				put_element(&w, c->key, c->bits, remaining(f, c->expires_s));
		} else if (!to->is_map || is_in(to, c->had, c->old_bits)) {
			put_element(&w, c->key, c->old_bits, FEED_TTL_MIN_S);
		}
	}
	end_message(&w);
}

void feed_write_changes(struct feed *f, struct nft_batch *b)
{
	for (int i = 0; i < FED_SETS; i++)
		for (enum pass pass = PASS_OLD; pass < PASSES; pass++)
			write_pass(f, b, &fed_sets[i], pass);
}

static void write_flush(struct nft_batch *b, const char *name)
{
	struct nlmsghdr *msg = nft_message(b, NFT_MSG_DELSETELEM, 0, "flush of %s", name);
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_SET, name);
	nft_message_end(b, msg);
}

void feed_write_flush(struct nft_batch *b)
{
	for (int i = 0; i < FED_SETS; i++)
		write_flush(b, set_info(fed_sets[i].set)->name);
}

void feed_write_some(const struct feed *f, struct nft_batch *b, struct feed_cursor *c, size_t n)
{
	for (; c->set < FED_SETS; c->set++, c->at = 0) {
		struct writer w = {
			.batch = b, .to = &fed_sets[c->set], .type = NFT_MSG_NEWSETELEM
		};
		const struct timed *t = &f->tables[w.to->table];
		const uint8_t *key;
		struct timed_entry e;
		/* It was made larger meanwhile: everything has another place. */
		if (c->at && c->cap != t->cap)
			c->at = 0;
		c->cap = t->cap;
		while (n && timed_next(t, &c->at, &key, &e)) {
			if (e.expires_s <= f->now_s || !is_in(w.to, true, e.bits))
				continue;
			put_element(&w, key, e.bits, remaining(f, e.expires_s));
			n--;
		}
		end_message(&w);
		if (!n)
			return;
	}
	c->more = false;
}

/* ---- what a former run left ---- */

struct adoption {
	struct feed *feed;
	const struct fed_set *from;
	int err;
};

static void on_elem(void *arg, const struct nft_elem *e)
{
	struct adoption *a = arg;
	struct timed *t = &a->feed->tables[a->from->table];
	struct timed_entry entry = { 0 };
	uint32_t part = 0;
	if (e->key_len != t->key_len || t->count >= FEED_MAX)
		return;
	timed_get(t, e->key, &entry);
	if (e->data && e->data_len == sizeof(part))
		memcpy(&part, e->data, sizeof(part));
	entry.bits |= (uint64_t)part << a->from->shift;
	uint32_t expires_s = a->feed->now_s + (uint32_t)(e->expires_ms / 1000) + 1;
	if (expires_s > entry.expires_s)
		entry.expires_s = expires_s;
	int err = timed_set(t, e->key, entry);
	a->err = a->err ? a->err : err;
}

int feed_adopt(struct feed *f, struct nft *n)
{
	for (int i = 0; i < FED_SETS; i++) {
		struct adoption a = { .feed = f, .from = &fed_sets[i] };
		int err = nft_read_set(n, set_info(a.from->set)->name, on_elem, &a);
		if (err && err != -ENOENT)
			return err;
		if (a.err)
			return a.err;
	}
	return 0;
}
