/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/firewall.h"

#include "common/log.h"
#include "fwd/doh.h"
#include "fwd/marks.h"
#include <errno.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <string.h>

enum { ATTEMPTS = 8 };

/* Keys as the kernel compares them: the name padded with zeros, then the address. */
struct interface_key {
	char name[IFNAMSIZ];
	uint8_t addr[16];
};

static struct interface_key make_key(const char *interface, const struct addr *a)
{
	struct interface_key k = { 0 };
	size_t len = strlen(interface);
	memcpy(k.name, interface, len < IFNAMSIZ ? len : IFNAMSIZ - 1);
	if (a)
		memcpy(k.addr, a->bytes, addr_len(a));
	return k;
}

static enum set_id by_family(const struct addr *a, enum set_id v4)
{
	/* Every pair in enum set_id has IPv4 first. */
	return a->family == AF_INET ? v4 : (enum set_id)(v4 + 1);
}

static int set_profiles(struct firewall *f);

static int set_constants(struct firewall *f)
{
	int err = 0;
	for (size_t i = 0; i < doh_address_count && !err; i++) {
		struct addr a;
		err = addr_parse(doh_addresses[i], &a);
		if (!err)
			err = elements_set(&f->elements, by_family(&a, SET_DOH4), a.bytes, NULL);
	}
	return err ? err : set_profiles(f);
}

int firewall_init(struct firewall *f)
{
	*f = (struct firewall){ .rules_due = true, .load_due = true };
	elements_init(&f->elements);
	profiles_init(&f->profiles);
	conntrack_targets_init(&f->lost);
	foreign_init(&f->foreign);
	int err = nft_open(&f->nft);
	if (!err)
		err = set_constants(f);
	if (err)
		firewall_fini(f);
	return err;
}

void firewall_fini(struct firewall *f)
{
	nft_close(&f->nft);
	elements_fini(&f->elements);
	profiles_fini(&f->profiles);
	conntrack_targets_fini(&f->lost);
	foreign_fini(&f->foreign);
}

static int set_tunnel(struct firewall *f, const struct conf_tunnel *t)
{
	struct interface_key name = make_key(t->interface, NULL);
	int err = elements_set(&f->elements, SET_TUNNELS, name.name, NULL);
	for (size_t i = 0; i < t->addresses.n && !err; i++) {
		const struct addr *a = &t->addresses.v[i].addr;
		struct interface_key key = make_key(t->interface, a);
		err = elements_set(&f->elements, by_family(a, SET_GATEWAY4), &key, NULL);
		enum set_id local = by_family(a, SET_LOCAL4);
		if (!err && !elements_get(&f->elements, local, name.name, NULL))
			err = elements_set(&f->elements, local, name.name, a->bytes);
	}
	return err;
}

int firewall_set_conf(
	struct firewall *f, const struct conf_shared *conf, const struct ruleset_options *options)
{
	static const enum set_id sets[] = { SET_TUNNELS, SET_GATEWAY4, SET_GATEWAY6, SET_LOCAL4,
		SET_LOCAL6 };
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		elements_unset_all(&f->elements, sets[i]);
	int err = 0;
	for (size_t i = 0; i < conf->tunnel_count && !err; i++)
		err = set_tunnel(f, &conf->tunnels[i]);
	f->options = *options;
	f->rules_due = true;
	f->tighten_due = true;
	return err;
}

int firewall_set_device(
	struct firewall *f, const char *interface, const struct addr *a, uint32_t mark)
{
	struct interface_key key = make_key(interface, a);
	enum set_id set = by_family(a, SET_DEVICES4);
	uint32_t before = 0;
	if (elements_get(&f->elements, set, &key, &before) && before != mark)
		f->tighten_due = true;
	return elements_set(&f->elements, set, &key, &mark);
}

void firewall_remove_device(struct firewall *f, const char *interface, const struct addr *a)
{
	struct interface_key key = make_key(interface, a);
	enum set_id set = by_family(a, SET_DEVICES4);
	if (elements_get(&f->elements, set, &key, NULL))
		f->tighten_due = true;
	elements_unset(&f->elements, set, &key);
}

size_t firewall_device_count(const struct firewall *f)
{
	return elements_count(&f->elements, SET_DEVICES4) +
	       elements_count(&f->elements, SET_DEVICES6);
}

static int set_lan_family(struct firewall *f, int family, const struct prefix *v, size_t n)
{
	struct ranges lan, wan = { 0 };
	ranges_init(&lan, family);
	int err = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = ranges_add(&lan, &v[i]);
	ranges_normalise(&lan);
	if (!err)
		err = ranges_complement(&lan, &wan);
	if (!err)
		err = elements_set_ranges(
			&f->elements, family == AF_INET ? SET_LAN4 : SET_LAN6, &lan);
	if (!err)
		err = elements_set_ranges(
			&f->elements, family == AF_INET ? SET_WAN4 : SET_WAN6, &wan);
	ranges_fini(&lan);
	ranges_fini(&wan);
	return err;
}

int firewall_set_lan(struct firewall *f, const struct prefix *v, size_t n)
{
	f->tighten_due = true;
	int err = set_lan_family(f, AF_INET, v, n);
	return err ? err : set_lan_family(f, AF_INET6, v, n);
}

struct profile_adding {
	struct firewall *f;
	int err;
};

static void on_profile(void *arg, unsigned id, const struct profile *def)
{
	(void)def;
	struct profile_adding *adding = arg;
	uint32_t value = id;
	int err = elements_set(&adding->f->elements, SET_PROFILES, &value, &value);
	adding->err = adding->err ? adding->err : err;
}

static int set_profiles(struct firewall *f)
{
	elements_unset_all(&f->elements, SET_PROFILES);
	struct profile_adding adding = { .f = f };
	for (unsigned id = PROFILE_WALLED; id <= PROFILE_INTRANET; id++)
		on_profile(&adding, id, NULL);
	profiles_each(&f->profiles, on_profile, &adding);
	return adding.err;
}

int firewall_profiles_changed(struct firewall *f)
{
	f->rules_due = true;
	f->tighten_due = true;
	return set_profiles(f);
}

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
}

int firewall_adopt_devices(struct firewall *f)
{
	static const enum set_id sets[] = { SET_DEVICES4, SET_DEVICES6 };
	for (size_t i = 0; i < 2; i++) {
		struct adoption a = { .f = f, .set = sets[i] };
		int err = nft_read_set(&f->nft, set_info(a.set)->name, on_adopted, &a);
		if (err && err != -ENOENT)
			return err;
		if (a.err)
			return a.err;
	}
	return 0;
}

void firewall_distrust(struct firewall *f)
{
	f->load_due = true;
	f->rules_due = true;
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
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	elements_unset_all(&f->elements, SET_EPOCH_OK);
	int err = elements_set(&f->elements, SET_EPOCH_OK, &epoch, NULL);
	for (size_t i = 0; i < sizeof(families) && !err; i++)
		err = elements_set(&f->elements, SET_EPOCH, &families[i], &epoch);
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
};

static void on_lost(void *arg, const void *key)
{
	struct losing *l = arg;
	const struct interface_key *k = key;
	struct addr a = addr_from_bytes(l->family, k->addr);
	if (conntrack_add_source(&l->targets, &a))
		log_error("no memory for a connection to cut");
}

/* Devices whose entry in the kernel goes or changes with the next commit. */
static void find_losing(const struct firewall *f, struct losing *l)
{
	conntrack_targets_init(&l->targets);
	l->family = AF_INET;
	elements_each_lost(&f->elements, SET_DEVICES4, on_lost, l);
	l->family = AF_INET6;
	elements_each_lost(&f->elements, SET_DEVICES6, on_lost, l);
}

static int load(struct firewall *f)
{
	int err = nft_read_genid(&f->nft);
	if (!err && f->epoch == 0) {
		err = nft_read_set(&f->nft, set_info(SET_EPOCH_OK)->name, on_epoch, &f->epoch);
		if (err == -ENOENT)
			err = 0;
		/* Rules may differ from those under which older flows were approved. */
		f->tighten_due = true;
	}
	if (!err)
		err = foreign_find(&f->foreign, &f->nft, &f->elements);
	if (!err)
		err = elements_load(&f->elements, &f->nft);
	return err;
}

static int attempt(struct firewall *f)
{
	int err = f->load_due ? load(f) : 0;
	if (err)
		return err;
	f->load_due = false;
	if (f->tighten_due) {
		err = raise_epoch(f);
		if (err)
			return err;
		f->tighten_due = false;
	}
	bool rules = f->rules_due || f->anew_due;
	if (!rules && !elements_are_dirty(&f->elements))
		return 0;
	struct losing losing;
	find_losing(f, &losing);
	struct nft_batch b;
	nft_batch_init(&b, &f->nft);
	if (rules)
		ruleset_write(&b, &f->options, &f->profiles, f->anew_due);
	elements_write(&f->elements, &b);
	if (rules && !f->anew_due)
		foreign_write(&f->foreign, &b);
	err = nft_batch_commit(&b);
	nft_batch_fini(&b);
	if (!err && conntrack_targets_move(&f->lost, &losing.targets))
		log_error("no memory for connections to cut");
	conntrack_targets_fini(&losing.targets);
	if (err)
		return err;
	elements_committed(&f->elements);
	if (rules) {
		foreign_clear(&f->foreign);
		f->rewrites++;
	} else {
		f->updates++;
	}
	f->rules_due = f->anew_due = false;
	return 0;
}

/* The table is there in another shape (an older version's, or somebody else's of that name). */
static void give_up_table(struct firewall *f)
{
	log_warning("table has another shape, making it anew fault=\"%s\"", f->nft.fault);
	f->anew_due = true;
	for (int i = 0; i < SETS; i++)
		elements_forget(&f->elements, (enum set_id)i);
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
		} else if (!distrusted) {
			distrusted = true;
			firewall_distrust(f);
		} else if (!f->anew_due) {
			give_up_table(f);
		} else {
			break;
		}
	}
	/* Whatever it was, the next try starts from what the kernel has. */
	firewall_distrust(f);
	f->anew_due = false;
	return err;
}
