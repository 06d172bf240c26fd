/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/firewall.h"

#include "common/timer.h"
#include "fwd/firewall_parts.h"
#include "fwd/marks.h"
#include <errno.h>

struct adoption {
	struct firewall *f;
	enum set_id set;
	int err;
};

static void on_adopted(void *arg, const struct nft_elem *e)
{
	struct adoption *a = arg;
	const struct set_info *info = set_info(a->set);
	if (e->key_len != info->key_len || e->data_len != info->data_len)
		return;
	int err = elements_set(&a->f->elements, a->set, e->key, e->data);
	a->err = a->err ? a->err : err;
	uint32_t mark;
	memcpy(&mark, e->data, sizeof(mark));
	mark >>= a->f->options.mark_shift;
	profiles_adopt(&a->f->profiles, mark & MARK_PROFILE);
	masks_adopt(&a->f->masks, (mark & MARK_MASK_ID) >> MARK_MASK_ID_SHIFT);
}

static void on_adopted_limit(void *arg, const struct nft_elem *e)
{
	struct adoption *a = arg;
	struct limit_value v;
	if (e->key_len != set_info(a->set)->key_len || !e->object ||
		limit_name_parse(e->object, &v))
		return;
	int err = limits_take(&a->f->limits, &v);
	if (!err)
		err = elements_set(&a->f->elements, a->set, e->key, &v);
	a->err = a->err ? a->err : err;
}

static void on_profile_chain(void *arg, const struct nft_elem *e)
{
	unsigned id, *shift = arg;
	uint32_t mark;
	if (e->key_len != sizeof(mark) || !e->chain || profile_chain_parse(e->chain, &id) ||
		id != PROFILE_WALLED)
		return;
	memcpy(&mark, e->key, sizeof(mark));
	for (*shift = 0; mark > PROFILE_WALLED; mark >>= 1)
		++*shift;
}

static int adopt_maps(struct firewall *f)
{
	static const enum set_id sets[] = { SET_DEVICES4, SET_DEVICES6, SET_UPLOAD4, SET_UPLOAD6,
		SET_DOWNLOAD4, SET_DOWNLOAD6 };
	unsigned shift = 0;
	int err = nft_read_set(&f->nft, set_info(SET_PROFILES)->name, on_profile_chain, &shift);
	/* Marks of another shift would say something else. */
	if (err || shift != f->options.mark_shift)
		return err == -ENOENT ? 0 : err;
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		struct adoption a = { .f = f, .set = sets[i] };
		err = nft_read_set(
			&f->nft, set_info(a.set)->name, i < 2 ? on_adopted : on_adopted_limit, &a);
		if (err && err != -ENOENT)
			return err;
		if (a.err)
			return a.err;
	}
	return 0;
}

int firewall_adopt_devices(struct firewall *f)
{
	f->adopted = true;
	int err = adopt_maps(f);
	if (!err)
		err = firewall_want_masks(f);
	feed_set_clock(&f->feed, clock_mono_ms());
	return err ? err : feed_adopt(&f->feed, &f->nft);
}
