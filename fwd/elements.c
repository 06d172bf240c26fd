/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/elements.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1000 /* more overflow the length of the list's attribute */ };

struct element {
	struct list dirty;
	bool is_dirty, interval_end;
	uint8_t key_len;
	struct value want, have;
	uint8_t key[]; /* and the flag interval_end behind it */
};

void elements_init(struct elements *e)
{
	for (int i = 0; i < SETS; i++) {
		hmap_init(&e->sets[i].map, free);
		list_init(&e->sets[i].dirty);
		e->sets[i].dirty_count = 0;
	}
}

void elements_fini(struct elements *e)
{
	for (int i = 0; i < SETS; i++)
		hmap_fini(&e->sets[i].map);
}

static bool value_equal(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static void mark_dirty(struct element_set *s, struct element *el, bool dirty)
{
	if (el->is_dirty == dirty)
		return;
	el->is_dirty = dirty;
	if (dirty) {
		list_add(&s->dirty, &el->dirty);
		s->dirty_count++;
	} else {
		list_remove(&el->dirty);
		s->dirty_count--;
	}
}

/* Afterwards el may be gone: an element neither wanted nor there is forgotten. */
static void settle(struct element_set *s, struct element *el)
{
	mark_dirty(s, el, !value_equal(&el->want, &el->have));
	if (!el->want.kind && !el->have.kind)
		hmap_remove(&s->map, el->key, el->key_len + 1u);
}

static struct element *find(const struct element_set *s, const void *key, size_t len, bool end)
{
	uint8_t full[KEY_MAX + 1];
	memcpy(full, key, len);
	full[len] = end;
	return hmap_find(&s->map, full, len + 1);
}

static struct element *find_or_add(struct element_set *s, const void *key, size_t len, bool end)
{
	struct element *el = find(s, key, len, end);
	if (el)
		return el;
	el = calloc(1, sizeof(*el) + len + 1);
	if (!el)
		return NULL;
	list_init(&el->dirty);
	el->key_len = (uint8_t)len;
	el->interval_end = end;
	memcpy(el->key, key, len);
	el->key[len] = end;
	if (hmap_set(&s->map, el->key, len + 1, el)) {
		free(el);
		return NULL;
	}
	return el;
}

static struct value make_value(const struct set_info *info, const void *data)
{
	struct value v = { .kind = (uint8_t)(info->value + 1) };
	if (data && info->value != VALUE_NONE) {
		v.len = info->data_len;
		memcpy(v.bytes, data, v.len);
	}
	return v;
}

static int want(struct elements *e, enum set_id id, const void *key, bool end, const void *data)
{
	const struct set_info *info = set_info(id);
	struct element *el = find_or_add(&e->sets[id], key, info->key_len, end);
	if (!el)
		return -ENOMEM;
	el->want = make_value(info, data);
	settle(&e->sets[id], el);
	return 0;
}

int elements_set(struct elements *e, enum set_id id, const void *key, const void *data)
{
	return want(e, id, key, false, data);
}

void elements_unset(struct elements *e, enum set_id id, const void *key)
{
	struct element *el = find(&e->sets[id], key, set_info(id)->key_len, false);
	if (!el)
		return;
	el->want = (struct value){ 0 };
	settle(&e->sets[id], el);
}

bool elements_get(const struct elements *e, enum set_id id, const void *key, void *data)
{
	const struct element *el = find(&e->sets[id], key, set_info(id)->key_len, false);
	if (!el || !el->want.kind)
		return false;
	if (data)
		memcpy(data, el->want.bytes, el->want.len);
	return true;
}

bool elements_is_there(const struct elements *e, enum set_id id, const void *key)
{
	const struct element *el = find(&e->sets[id], key, set_info(id)->key_len, false);
	return el && el->have.kind;
}

void elements_each(const struct elements *e, enum set_id id,
	void (*on_element)(void *arg, const void *key, const void *data), void *arg)
{
	hmap_foreach (&e->sets[id].map, it) {
		const struct element *el = it.value;
		if (el->want.kind && !el->interval_end)
			on_element(arg, el->key, el->want.bytes);
	}
}

void elements_unset_all(struct elements *e, enum set_id id)
{
	struct element_set *s = &e->sets[id];
	hmap_foreach (&s->map, it) {
		struct element *el = it.value;
		el->want = (struct value){ 0 };
		settle(s, el);
	}
}

int elements_set_ranges(struct elements *e, enum set_id id, const struct ranges *r)
{
	elements_unset_all(e, id);
	int err = 0;
	for (size_t i = 0; i < r->n && !err; i++) {
		uint8_t after[16];
		err = want(e, id, r->v[i].from, false, NULL);
		if (!err && range_successor(r->v[i].to, r->addr_len, after))
			err = want(e, id, after, true, NULL);
	}
	return err;
}

size_t elements_count(const struct elements *e, enum set_id id)
{
	size_t n = 0;
	hmap_foreach (&e->sets[id].map, it)
		n += ((const struct element *)it.value)->want.kind != 0;
	return n;
}

/* ---- present ---- */

struct loading {
	struct elements *e;
	enum set_id id;
	int err;
};

static struct value read_value(const struct set_info *info, const struct nft_elem *elem)
{
	uint32_t number = 0;
	struct limit_value limit;
	switch (info->value) {
	case VALUE_NONE:
		break;
	case VALUE_DATA:
		if (elem->data_len != info->data_len)
			return (struct value){ .kind = UINT8_MAX };
		return make_value(info, elem->data);
	/* What leads to no chain or limit of ours stays 0 and is replaced. */
	case VALUE_PROFILE:
		if (elem->chain)
			profile_chain_parse(elem->chain, &number);
		return make_value(info, &number);
	case VALUE_MASK:
		if (elem->chain)
			mask_chain_parse(elem->chain, &number);
		return make_value(info, &number);
	case VALUE_LIMIT:
		if (!elem->object || limit_name_parse(elem->object, &limit))
			return (struct value){ .kind = UINT8_MAX };
		return make_value(info, &limit);
	}
	return make_value(info, NULL);
}

static void on_elem(void *arg, const struct nft_elem *elem)
{
	struct loading *l = arg;
	const struct set_info *info = set_info(l->id);
	struct element_set *s = &l->e->sets[l->id];
	if (elem->key_len != info->key_len)
		return;
	struct element *el = find_or_add(s, elem->key, info->key_len, elem->interval_end);
	if (!el) {
		l->err = -ENOMEM;
		return;
	}
	el->have = read_value(info, elem);
	settle(s, el);
}

void elements_forget(struct elements *e, enum set_id id)
{
	struct element_set *s = &e->sets[id];
	hmap_foreach (&s->map, it) {
		struct element *el = it.value;
		el->have = (struct value){ 0 };
		settle(s, el);
	}
}

int elements_load(struct elements *e, struct nft *n)
{
	for (int i = 0; i < SETS_FED; i++) {
		struct loading l = { .e = e, .id = (enum set_id)i };
		elements_forget(e, l.id);
		int err = nft_read_set(n, set_info(l.id)->name, on_elem, &l);
		if (err && err != -ENOENT)
			return err;
		if (l.err)
			return l.err;
	}
	return 0;
}

bool elements_are_dirty(const struct elements *e)
{
	for (int i = 0; i < SETS; i++)
		if (e->sets[i].dirty_count)
			return true;
	return false;
}

void elements_each_lost(const struct elements *e, enum set_id id,
	void (*on_lost)(void *arg, const void *key, const void *have, const void *want), void *arg)
{
	list_foreach (&e->sets[id].dirty, it) {
		const struct element *el = container_of(it, struct element, dirty);
		if (el->have.kind)
			on_lost(arg, el->key, el->have.bytes,
				el->want.kind ? el->want.bytes : NULL);
	}
}

static void put_chain(struct nlmsghdr *msg, int verdict, const char *chain)
{
	struct nlattr *data = mnl_attr_nest_start(msg, NFTA_SET_ELEM_DATA);
	struct nlattr *nest = mnl_attr_nest_start(msg, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(msg, NFTA_VERDICT_CODE, htonl((uint32_t)verdict));
	mnl_attr_put_strz(msg, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(msg, nest);
	mnl_attr_nest_end(msg, data);
}

static void put_value(struct nlmsghdr *msg, const struct value *v)
{
	uint32_t number = 0;
	struct limit_value limit;
	char chain[CHAIN_LEN], name[LIMIT_NAME_LEN];
	memcpy(&number, v->bytes, sizeof(number));
	switch (v->kind - 1) {
	case VALUE_PROFILE:
		profile_chain_format(number, chain);
		put_chain(msg, NFT_GOTO, chain);
		break;
	case VALUE_MASK:
		mask_chain_format(number, chain);
		put_chain(msg, NFT_GOTO, chain);
		break;
	case VALUE_LIMIT:
		memcpy(&limit, v->bytes, sizeof(limit));
		limit_name_format(&limit, name);
		mnl_attr_put_strz(msg, NFTA_SET_ELEM_OBJREF, name);
		break;
	default: {
		struct nlattr *data = mnl_attr_nest_start(msg, NFTA_SET_ELEM_DATA);
		mnl_attr_put(msg, NFTA_DATA_VALUE, v->len, v->bytes);
		mnl_attr_nest_end(msg, data);
	}
	}
}

static void put_element(struct nlmsghdr *msg, const struct element *el, const struct value *v)
{
	struct nlattr *nest = mnl_attr_nest_start(msg, NFTA_LIST_ELEM);
	if (el->interval_end)
		mnl_attr_put_u32(msg, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	struct nlattr *key = mnl_attr_nest_start(msg, NFTA_SET_ELEM_KEY);
	mnl_attr_put(msg, NFTA_DATA_VALUE, el->key_len, el->key);
	mnl_attr_nest_end(msg, key);
	if (v && v->len)
		put_value(msg, v);
	mnl_attr_nest_end(msg, nest);
}

/* Several messages of at most CHUNK elements each. */
static void write_elements(struct nft_batch *b, const struct set_info *info, uint16_t type,
	struct element *const *v, size_t n)
{
	for (size_t done = 0; done < n;) {
		struct nlmsghdr *msg = nft_message(b, type,
			type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE | NLM_F_EXCL : 0,
			"%zu elements of %s", n, info->name);
		if (!msg)
			return;
		mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
		mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_SET, info->name);
		struct nlattr *list = mnl_attr_nest_start(msg, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (size_t i = 0; i < CHUNK && done < n; i++, done++)
			put_element(
				msg, v[done], type == NFT_MSG_NEWSETELEM ? &v[done]->want : NULL);
		mnl_attr_nest_end(msg, list);
		nft_message_end(b, msg);
	}
}

/* By key: the kernel wants the start of an interval before its end. */
static int compare(const void *a, const void *b)
{
	const struct element *x = *(struct element *const *)a, *y = *(struct element *const *)b;
	return memcmp(x->key, y->key, x->key_len);
}

static void write_set(struct element_set *s, const struct set_info *info, struct nft_batch *b)
{
	/* An interval set is small, and half an interval is not accepted: it is written whole. */
	size_t room = info->interval ? s->map.count : s->dirty_count, gone = 0, come = 0;
	struct element **v = calloc(room * 2, sizeof(*v));
	if (!v) {
		b->failed = -ENOMEM;
		return;
	}
	if (info->interval) {
		hmap_foreach (&s->map, it) {
			struct element *el = it.value;
			if (el->have.kind)
				v[gone++] = el;
			if (el->want.kind)
				v[room + come++] = el;
		}
		qsort(v, gone, sizeof(*v), compare);
		qsort(v + room, come, sizeof(*v), compare);
	} else {
		list_foreach (&s->dirty, it) {
			struct element *el = container_of(it, struct element, dirty);
			if (el->have.kind)
				v[gone++] = el;
			if (el->want.kind)
				v[room + come++] = el;
		}
	}
	write_elements(b, info, NFT_MSG_DELSETELEM, v, gone);
	write_elements(b, info, NFT_MSG_NEWSETELEM, v + room, come);
	free(v);
}

void elements_write(struct elements *e, struct nft_batch *b)
{
	for (int i = 0; i < SETS; i++)
		if (e->sets[i].dirty_count)
			write_set(&e->sets[i], set_info((enum set_id)i), b);
}

void elements_committed(struct elements *e)
{
	for (int i = 0; i < SETS; i++) {
		struct element_set *s = &e->sets[i];
		list_foreach_safe (&s->dirty, it) {
			struct element *el = container_of(it, struct element, dirty);
			el->have = el->want;
			settle(s, el);
		}
	}
}
