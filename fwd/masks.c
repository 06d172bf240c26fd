/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/masks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void masks_init(struct masks *m)
{
	*m = (struct masks){ 0 };
	hmap_init(&m->combinations, free);
}

void masks_fini(struct masks *m)
{
	hmap_fini(&m->combinations);
}

static unsigned find_free_id(struct masks *m)
{
	for (unsigned i = 0; i < MASK_SHARED - 1; i++) {
		m->last = m->last % (MASK_SHARED - 1) + 1;
		if (!m->by_id[m->last])
			return m->last;
	}
	return MASK_NONE;
}

static void remove_combination(struct masks *m, struct combination *c)
{
	if (c->id == MASK_SHARED)
		m->sharing--;
	else
		m->by_id[c->id] = NULL;
	struct list_bits key = c->bits;
	hmap_remove(&m->combinations, &key, sizeof(key));
}

static void remove_unused(struct masks *m, bool idle_only)
{
	for (unsigned id = 1; id < MASK_SHARED; id++) {
		struct combination *c = m->by_id[id];
		if (!c || c->devices)
			continue;
		if (c->idle || !idle_only)
			remove_combination(m, c);
		else
			c->idle = true;
	}
}

void masks_written(struct masks *m)
{
	remove_unused(m, true);
	if (m->forget_adopted)
		memset(m->adopted, 0, sizeof(m->adopted));
	m->forget_adopted = false;
}

static void share(struct masks *m, struct combination *c)
{
	c->id = MASK_SHARED;
	m->shared.by_address |= c->bits.by_address;
	m->shared.doh |= c->bits.doh;
	m->sharing++;
}

int masks_take(struct masks *m, struct list_bits bits, struct combination **out, bool *is_new)
{
	*out = NULL;
	if (!bits.by_address && !bits.doh)
		return 0;
	struct combination *c = hmap_find(&m->combinations, &bits, sizeof(bits));
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->bits = bits;
		if (hmap_set(&m->combinations, &bits, sizeof(bits), c)) {
			free(c);
			return -ENOMEM;
		}
		c->id = find_free_id(m);
		if (!c->id) {
			remove_unused(m, false);
			c->id = find_free_id(m);
		}
		if (c->id)
			m->by_id[c->id] = c;
		else
			share(m, c);
		m->rank_due = m->rank_due || m->sharing > 0;
		*is_new = true;
	}
	c->devices++;
	c->idle = false;
	*out = c;
	return 0;
}

void masks_drop(struct masks *m, struct combination *c)
{
	if (!c || --c->devices)
		return;
	/* The shared chain keeps its bits until the next ranking. */
	m->rank_due = m->rank_due || m->sharing > 0;
	if (m->sharing)
		remove_combination(m, c);
}

static int compare(const void *a, const void *b)
{
	const struct combination *x = *(struct combination *const *)a,
				 *y = *(struct combination *const *)b;
	if (x->devices != y->devices)
		return x->devices < y->devices ? 1 : -1;
	/* Who has an id of its own keeps it. */
	return (x->id == MASK_SHARED) - (y->id == MASK_SHARED);
}

static bool give_ids(struct masks *m, struct combination **v, size_t n)
{
	bool moved = false;
	m->shared = (struct list_bits){ 0 };
	m->sharing = 0;
	for (size_t i = MASK_SHARED - 1; i < n; i++) {
		moved = moved || v[i]->id != MASK_SHARED;
		if (v[i]->id != MASK_SHARED)
			m->by_id[v[i]->id] = NULL;
		share(m, v[i]);
	}
	for (size_t i = 0; i < n && i < MASK_SHARED - 1; i++) {
		if (v[i]->id != MASK_SHARED)
			continue;
		v[i]->id = find_free_id(m);
		m->by_id[v[i]->id] = v[i];
		moved = true;
	}
	return moved;
}

bool masks_settle(struct masks *m)
{
	if (!m->rank_due)
		return false;
	remove_unused(m, false);
	size_t n = 0;
	struct combination **v = calloc(m->combinations.count + 1, sizeof(struct combination *));
	if (!v)
		return false; /* sharing goes on */
	hmap_foreach (&m->combinations, it)
		v[n++] = it.value;
	qsort(v, n, sizeof(struct combination *), compare);
	bool moved = give_ids(m, v, n);
	free(v);
	m->rank_due = false;
	return moved;
}

unsigned masks_id(const struct combination *c)
{
	return c ? c->id : MASK_NONE;
}

void masks_adopt(struct masks *m, unsigned id)
{
	if (id == MASK_NONE || id > MASK_SHARED)
		return;
	m->adopted[id] = true;
	if (id > m->last && id < MASK_SHARED)
		m->last = id;
}

bool masks_are_adopted(const struct masks *m)
{
	return memchr(m->adopted, true, sizeof(m->adopted)) != NULL;
}

void masks_forget_adopted(struct masks *m)
{
	m->forget_adopted = true;
}

void masks_each(const struct masks *m,
	void (*on_mask)(void *arg, unsigned id, const struct list_bits *bits), void *arg)
{
	static const struct list_bits all = { .by_address = UINT64_MAX };
	for (unsigned id = 1; id <= MASK_SHARED; id++) {
		const struct list_bits *bits = NULL;
		if (id == MASK_SHARED && m->sharing)
			bits = &m->shared;
		else if (id < MASK_SHARED && m->by_id[id])
			bits = &m->by_id[id]->bits;
		if (m->adopted[id])
			bits = &all;
		if (bits)
			on_mask(arg, id, bits);
	}
}
