/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/firewall.h"

#include "common/log.h"
#include "fwd/firewall_parts.h"
#include "fwd/marks.h"
#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>

enum { ATTEMPTS = 8 };

void firewall_distrust(struct firewall *f)
{
	f->load_due = true;
	f->rules_due = true;
}

void firewall_distrust_fed(struct firewall *f)
{
	firewall_distrust(f);
	f->feed.rewrite_due = true;
	f->feed.empty = false;
}

bool firewall_has_more(const struct firewall *f)
{
	return feed_has_more(&f->feed);
}

/* ---- epoch ---- */

static void on_epoch(void *arg, const struct nft_elem *e)
{
	uint32_t value, *epoch = arg;
	if (e->key_len != sizeof(value))
		return;
	memcpy(&value, e->key, sizeof(value));
	*epoch = value & CT_MARK_EPOCH;
}

static int set_epoch(struct firewall *f, uint32_t epoch)
{
	static const uint8_t both[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	elements_unset_all(&f->elements, SET_EPOCH_OK);
	/* Two forms of it, for the fast path. */
	const uint32_t passed = epoch | CT_MARK_PASSED;
	int err = elements_set(&f->elements, SET_EPOCH_OK, &epoch, NULL);
	if (!err)
		err = elements_set(&f->elements, SET_EPOCH_OK, &passed, NULL);
	const uint32_t path = (uint32_t)PATH_NEW << CT_MARK_PATH_SHIFT;
	const uint32_t quic = (uint32_t)PATH_TENTATIVE << CT_MARK_PATH_SHIFT;
	const struct {
		enum set_id set;
		uint32_t mark;
	} maps[] = {
		{ SET_EPOCH, epoch },
		{ SET_EPOCH_LIMITED, epoch | CT_MARK_LIMITED },
		{ SET_EPOCH_PATH, epoch | path },
		{ SET_EPOCH_PATH_LIMITED, epoch | CT_MARK_LIMITED | path },
		{ SET_EPOCH_QUIC, epoch | quic },
		{ SET_EPOCH_QUIC_LIMITED, epoch | CT_MARK_LIMITED | quic },
		{ SET_EPOCH_PASSED, epoch | CT_MARK_PASSED },
		{ SET_EPOCH_PASSED_LIMITED, epoch | CT_MARK_LIMITED | CT_MARK_PASSED },
	};
	for (size_t i = 0; i < 2 * sizeof(maps) / sizeof(*maps) && !err; i++)
		err = elements_set(&f->elements, maps[i / 2].set, &both[i % 2], &maps[i / 2].mark);
	if (!err)
		f->epoch = epoch;
	return err;
}

/* A flow of any older epoch is judged again; nothing is lost for one that is still allowed. */
static int raise_epoch(struct firewall *f)
{
	uint32_t next = (f->epoch + 1) & CT_MARK_EPOCH;
	return set_epoch(f, next ? next : 1);
}

/* ---- apply ---- */

struct losing {
	struct conntrack_targets targets;
	int family;
	uint32_t ignored; /* bits of marks that say nothing */
};

static void on_lost(void *arg, const void *key, const void *have, const void *want)
{
	struct losing *l = arg;
	uint32_t before, after;
	memcpy(&before, have, sizeof(before));
	if (want) {
		memcpy(&after, want, sizeof(after));
		if (((before ^ after) & ~l->ignored) == 0)
			return;
	}
	const struct interface_key *k = key;
	struct addr a = addr_from_bytes(l->family, k->addr);
	if (conntrack_add_source(&l->targets, &a))
		log_error("no memory for a connection to cut");
}

/* Devices whose entry in the kernel goes or changes with the next commit. */
static void find_losing(const struct firewall *f, struct losing *l)
{
	conntrack_targets_init(&l->targets);
	/* Mask ids are a matter of each run. */
	l->ignored = f->adopted ? MARK_MASK_ID << f->options.mark_shift : 0;
	l->family = AF_INET;
	elements_each_lost(&f->elements, SET_DEVICES4, on_lost, l);
	l->family = AF_INET6;
	elements_each_lost(&f->elements, SET_DEVICES6, on_lost, l);
}

static int load(struct firewall *f)
{
	bool has_table;
	int err = nft_read_genid(&f->nft);
	if (!err)
		err = nft_has_table(&f->nft, &has_table);
	if (!err && !has_table) {
		firewall_distrust_fed(f);
		f->feed.empty = true;
	}
	if (!err && f->epoch == 0) {
		err = nft_read_set(&f->nft, set_info(SET_EPOCH_OK)->name, on_epoch, &f->epoch);
		if (err == -ENOENT)
			err = 0;
		/* Rules may differ from those under which older flows were approved. */
		f->tighten_due = true;
		if (!err && f->epoch)
			err = set_epoch(f, f->epoch);
	}
	if (!err)
		err = foreign_find(&f->foreign, &f->nft, &f->elements);
	if (!err)
		err = elements_load(&f->elements, &f->nft);
	if (!err)
		err = limits_load(&f->limits, &f->nft);
	return err;
}

/*
 * A packet that is on its way when a transaction gets into force may go on by the rules of before,
 * and finds the elements of after: a device's new mark, which leads to a chain that had no rules
 * before. Therefore chains have their rules before anything leads to them, ...
 */
struct declaring {
	const struct firewall *f;
	struct nft_batch batch;
};

static void declare_mask(void *arg, unsigned id, const struct list_bits *bits)
{
	struct declaring *d = arg;
	uint32_t mark = mask_mark(d->f, id);
	/* The shared one may hold more lists now. */
	if (id == MASK_SHARED || !elements_is_there(&d->f->elements, SET_MASKS, &mark))
		ruleset_write_mask(&d->batch, &d->f->options, id, bits);
}

static int declare_masks(struct firewall *f)
{
	struct declaring d = { .f = f };
	nft_batch_init(&d.batch, &f->nft);
	masks_each(&f->masks, declare_mask, &d);
	int err = nft_batch_is_empty(&d.batch) ? 0 : nft_batch_commit(&d.batch);
	nft_batch_fini(&d.batch);
	/* Without a table, or in one of an older version that lacks a set, nothing leads anywhere.
	 */
	return err == -ENOENT ? 0 : err;
}

static int write_batch(struct firewall *f, bool rules)
{
	struct losing losing;
	find_losing(f, &losing);
	struct nft_batch b;
	nft_batch_init(&b, &f->nft);
	if (rules)
		ruleset_write(&b, &f->options, &f->profiles, &f->masks, f->anew_due);
	limits_write_new(&f->limits, &b);
	elements_write(&f->elements, &b);
	limits_write_old(&f->limits, &b);
	feed_write(&f->feed, &b, rules);
	if (rules && !f->anew_due)
		foreign_write(&f->foreign, &b);
	int err = nft_batch_commit(&b);
	nft_batch_fini(&b);
	if (!err && conntrack_targets_move(&f->lost, &losing.targets))
		log_error("no memory for connections to cut");
	conntrack_targets_fini(&losing.targets);
	return err;
}

static void note_written(struct firewall *f, bool rules)
{
	elements_committed(&f->elements);
	f->adopted = false;
	limits_committed(&f->limits);
	feed_committed(&f->feed);
	if (!rules) {
		f->updates++;
		return;
	}
	foreign_clear(&f->foreign);
	masks_written(&f->masks);
	f->rules_due = f->anew_due = false;
	f->rewrites++;
}

static int write_dirty(struct firewall *f)
{
	bool rules = f->rules_due || f->anew_due;
	int err = 0;
	/* A combination may have gone without notice: what leads to a chain and the chains that are
	 * declared have to be of one moment. */
	if (rules)
		err = firewall_want_masks(f);
	if (!err && rules && !f->anew_due)
		err = declare_masks(f);
	if (err)
		return err;
	if (!rules && !elements_are_dirty(&f->elements) && !feed_is_dirty(&f->feed) &&
		!limits_are_dirty(&f->limits))
		return 0;
	err = write_batch(f, rules);
	if (!err)
		note_written(f, rules);
	return err;
}

/* ... and an epoch begins once all it stands for is in force: the packet on its way may be approved
 * by the rules of before, and would be approved under the epoch of after for as long as it flows.
 */
static int renew_epoch(struct firewall *f)
{
	if (!f->tighten_due)
		return 0;
	int err = raise_epoch(f);
	if (!err)
		err = write_batch(f, false);
	if (err)
		return err;
	f->tighten_due = false;
	note_written(f, false);
	return 0;
}

static int attempt(struct firewall *f)
{
	int err = f->load_due ? load(f) : 0;
	if (err)
		return err;
	f->load_due = false;
	/* The first one comes with the rules: nothing was approved before, and nothing may flow
	 * unmarked. */
	if (!f->epoch) {
		err = raise_epoch(f);
		f->tighten_due = err != 0;
	}
	if (!err)
		err = write_dirty(f);
	return err ? err : renew_epoch(f);
}

/* The table is there in another shape (an older version's, or somebody else's of that name). */
static void give_up_table(struct firewall *f)
{
	log_warning("table has another shape, making it anew fault=\"%s\"", f->nft.fault);
	f->anew_due = true;
	f->feed.rewrite_due = true;
	limits_forget(&f->limits);
	for (int i = 0; i < SETS; i++)
		elements_forget(&f->elements, (enum set_id)i);
}

/* True when the last refusal was about an admin's profile, which is left out from now on. */
static bool leave_out_profile(struct firewall *f)
{
	unsigned id;
	if (sscanf(f->nft.refused, "rule %*u of chain profile_%u", &id) != 1)
		return false;
	const char *name = profiles_name(&f->profiles, id);
	if (!name)
		return false;
	log_error("profile refused by the kernel, its devices are walled name=%s fault=\"%s\"",
		name, f->nft.fault);
	if (f->on_profile_refused)
		f->on_profile_refused(f->arg, name, f->nft.fault);
	profiles_remove(&f->profiles, name);
	return firewall_profiles_changed(f) == 0;
}

int firewall_apply(struct firewall *f)
{
	int err = 0;
	bool distrusted = false;
	for (int i = 0; i < ATTEMPTS; i++) {
		err = attempt(f);
		if (err == 0)
			return 0;
		if (err == -ERESTART || err == -EINTR) {
			f->conflicts++;
			f->load_due = true;
		} else if (err == -ENOMEM || err == -EPERM || err == -ENOBUFS) {
			break;
		} else if (leave_out_profile(f)) {
			i--; /* each of them once */
		} else if (!distrusted) {
			distrusted = true;
			firewall_distrust_fed(f);
		} else if (!f->anew_due) {
			give_up_table(f);
		} else {
			break;
		}
	}
	/* Whatever it was, the next try starts from what the kernel has. */
	firewall_distrust_fed(f);
	f->anew_due = false;
	return err;
}
