/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/lists.h"

#include "common/policy/schedule.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list_facts {
	int64_t bit; /* -1: not compiled yet */
	bool by_address, doh, default_off;
};

void lists_init(struct lists *l)
{
	*l = (struct lists){ 0 };
	hmap_init(&l->by_id, free);
}

void lists_fini(struct lists *l)
{
	hmap_fini(&l->by_id);
}

int lists_apply(struct lists *l, const char *id, const struct rec_list *rec)
{
	if (!rec) {
		hmap_remove_str(&l->by_id, id);
		return 0;
	}
	struct list_facts *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->bit = rec_has(rec, list, bit) && rec->bit >= 0 && rec->bit < 64 ? rec->bit : -1;
	f->by_address = rec_has(rec, list, by_address) && rec->by_address;
	f->doh = rec_has(rec, list, kind) && !strcmp(rec->kind, "doh");
	/* As common/policy: without the field, or with a wrong one, a list is on. */
	f->default_off = !rec->head.closed && rec_has(rec, list, default_on) && !rec->default_on;
	int err = hmap_set_str(&l->by_id, id, f);
	if (err)
		free(f);
	return err;
}

bool lists_settle(struct lists *l, uint64_t *freed)
{
	char owners[64][65] = { 0 };
	struct list_bits all = { 0 };
	uint64_t default_off = 0;
	hmap_foreach (&l->by_id, it) {
		const struct list_facts *f = it.value;
		if (f->bit < 0)
			continue;
		uint64_t bit = 1ULL << f->bit;
		snprintf(owners[f->bit], sizeof(owners[0]), "%s", it.key);
		all.by_address |= f->by_address ? bit : 0;
		all.doh |= f->doh ? bit : 0;
		default_off |= f->default_off ? bit : 0;
	}
	*freed = 0;
	for (int i = 0; i < 64; i++)
		if (l->owners[i][0] && strcmp(l->owners[i], owners[i]))
			*freed |= 1ULL << i;
	bool changed = (!l->known && l->adopted) || memcmp(&all, &l->all, sizeof(all)) ||
		       default_off != l->default_off || *freed ||
		       memcmp(owners, l->owners, sizeof(owners));
	memcpy(l->owners, owners, sizeof(owners));
	l->all = all;
	l->default_off = default_off;
	l->known = true;
	return changed;
}

static uint64_t bit_of(const struct lists *l, const char *id)
{
	const struct list_facts *f = id ? hmap_find_str(&l->by_id, id) : NULL;
	return f && f->bit >= 0 ? 1ULL << f->bit : 0;
}

struct list_bits lists_bits(const struct lists *l, const struct device_view *v)
{
	static const struct list_bits every = { .by_address = UINT64_MAX };
	if (!l->known && l->adopted)
		return every;
	uint64_t on = ~l->default_off, scheduled = 0, now = 0;
	for (size_t i = 0; i < v->lists_off.n; i++)
		on &= ~bit_of(l, v->lists_off.v[i]);
	for (size_t i = 0; i < v->schedule_count; i++) {
		uint64_t bit = bit_of(l, schedule_list(&v->schedules[i]));
		scheduled |= bit;
		now |= v->schedules_now >> i & 1 ? bit : 0;
	}
	on = (on & ~scheduled) | now;
	return (struct list_bits){ .by_address = l->all.by_address & on, .doh = l->all.doh & on };
}

uint64_t lists_find_bit(const struct lists *l, const char *id)
{
	const struct list_facts *f = hmap_find_str(&l->by_id, id);
	if (!f || f->bit < 0 || !(f->by_address || f->doh))
		return 0;
	return 1ULL << f->bit;
}
