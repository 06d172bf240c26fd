/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/firewall.h"

#include "common/log.h"
#include "common/timer.h"
#include "fwd/doh.h"
#include "fwd/egress.h"
#include "fwd/marks.h"
#include "fwd/rules.h"
#include "fwd/special.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <stdio.h>
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

static int set_special(struct firewall *f, enum set_id id, int family, int (*add)(struct ranges *r))
{
	struct ranges r;
	ranges_init(&r, family);
	int err = add(&r);
	ranges_normalise(&r);
	if (!err)
		err = elements_set_ranges(&f->elements, id, &r);
	ranges_fini(&r);
	return err;
}

static int set_constants(struct firewall *f)
{
	static const uint16_t judged[] = { PORT_DNS, PORT_HTTP, PORT_HTTPS, PORT_DOT };
	int err = 0;
	for (size_t i = 0; i < COUNT(judged) && !err; i++) {
		uint16_t wire = htons(judged[i]);
		err = elements_set(&f->elements, SET_JUDGED_PORTS, &wire, NULL);
	}
	for (size_t i = 0; i < doh_address_count && !err; i++) {
		struct addr a;
		err = addr_parse(doh_addresses[i], &a);
		if (!err)
			err = elements_set(&f->elements, by_family(&a, SET_DOH4), a.bytes, NULL);
		if (err || a.family != AF_INET)
			continue;
		struct prefix nat64 = special_nat64(&(struct prefix){ .addr = a, .len = 32 });
		err = elements_set(&f->elements, SET_DOH6, nat64.addr.bytes, NULL);
	}
	if (!err)
		err = set_special(f, SET_GUARD4, AF_INET, special_add_guarded);
	if (!err)
		err = set_special(f, SET_GUARD6, AF_INET6, special_add_guarded);
	return err ? err : egress_set_protocols(&f->elements);
}

int firewall_init(struct firewall *f)
{
	*f = (struct firewall){ .rules_due = true, .load_due = true };
	elements_init(&f->elements);
	profiles_init(&f->profiles);
	masks_init(&f->masks);
	limits_init(&f->limits);
	conntrack_targets_init(&f->lost);
	foreign_init(&f->foreign);
	int err = feed_init(&f->feed);
	int failed = nft_open(&f->nft);
	err = err ? err : failed;
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
	masks_fini(&f->masks);
	feed_fini(&f->feed);
	limits_fini(&f->limits);
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
		if (!err)
			err = elements_set(&f->elements, by_family(a, SET_OWN4), a->bytes, NULL);
		enum set_id local = by_family(a, SET_LOCAL4);
		if (!err && !elements_get(&f->elements, local, name.name, NULL))
			err = elements_set(&f->elements, local, name.name, a->bytes);
	}
	return err;
}

static int set_profiles(struct firewall *f);
static int set_masks(struct firewall *f);

int firewall_set_conf(
	struct firewall *f, const struct conf_shared *conf, const struct ruleset_options *options)
{
	static const enum set_id sets[] = { SET_TUNNELS, SET_GATEWAY4, SET_GATEWAY6, SET_LOCAL4,
		SET_LOCAL6, SET_OWN4, SET_OWN6 };
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		elements_unset_all(&f->elements, sets[i]);
	int err = 0;
	for (size_t i = 0; i < conf->tunnel_count && !err; i++)
		err = set_tunnel(f, &conf->tunnels[i]);
	/* Verdict maps of marks and adopted marks have the shift in them. */
	f->options = *options;
	memset(f->options.tunnel, 0, sizeof(f->options.tunnel));
	if (conf->tunnel_count == 1)
		memcpy(f->options.tunnel, conf->tunnels[0].interface,
			strnlen(conf->tunnels[0].interface, sizeof(f->options.tunnel) - 1));
	if (!err)
		err = set_profiles(f);
	if (!err)
		err = set_masks(f);
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
	mark <<= f->options.mark_shift;
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
	firewall_set_rate(f, interface, a, a, 0);
	if (feed_forget_device(&f->feed, a))
		log_error("no memory to forget a device's destinations");
}

static int set_limit(struct firewall *f, enum set_id set, const struct interface_key *key,
	const struct limit_value *v)
{
	struct limit_value before;
	bool had = elements_get(&f->elements, set, key, &before);
	if (had && v && !memcmp(&before, v, sizeof(before)))
		return 0;
	int err = v ? limits_take(&f->limits, v) : 0;
	if (!err && v)
		err = elements_set(&f->elements, set, key, v);
	else if (!err)
		elements_unset(&f->elements, set, key);
	if (!err && had)
		limits_drop(&f->limits, &before);
	return err;
}

int firewall_set_rate(struct firewall *f, const char *interface, const struct addr *a,
	const struct addr *first, uint32_t kbit)
{
	struct interface_key key = make_key(interface, a);
	struct limit_value v = { .kbit = kbit, .family = first->family };
	memcpy(v.addr, first->bytes, sizeof(v.addr));
	int err = set_limit(f, by_family(a, SET_UPLOAD4), &key, kbit ? &v : NULL);
	v.down = 1;
	return err ? err : set_limit(f, by_family(a, SET_DOWNLOAD4), &key, kbit ? &v : NULL);
}

static void on_limited(void *arg, const void *key, const void *data)
{
	(void)key;
	limits_drop(arg, data);
}

void firewall_forget_devices(struct firewall *f)
{
	for (enum set_id id = SET_UPLOAD4; id <= SET_DOWNLOAD6; id++) {
		elements_each(&f->elements, id, on_limited, &f->limits);
		elements_unset_all(&f->elements, id);
	}
	elements_unset_all(&f->elements, SET_DEVICES4);
	elements_unset_all(&f->elements, SET_DEVICES6);
	masks_forget_adopted(&f->masks);
	f->tighten_due = true;
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

static int set_embedded(struct firewall *f, const struct prefix *v, size_t n)
{
	struct ranges r;
	ranges_init(&r, AF_INET6);
	int err = special_add_embedded(&r);
	for (size_t i = 0; i < n && !err; i++) {
		struct prefix nat64 = special_nat64(&v[i]);
		if (v[i].addr.family == AF_INET)
			err = ranges_add(&r, &nat64);
	}
	ranges_normalise(&r);
	if (!err)
		err = elements_set_ranges(&f->elements, SET_EMBEDDED6, &r);
	ranges_fini(&r);
	return err;
}

int firewall_set_lan(struct firewall *f, const struct prefix *v, size_t n)
{
	f->tighten_due = true;
	int err = set_lan_family(f, AF_INET, v, n);
	if (!err)
		err = set_lan_family(f, AF_INET6, v, n);
	return err ? err : set_embedded(f, v, n);
}

int firewall_set_egress(
	struct firewall *f, const struct rec_strs *denied, const struct rec_strs *web)
{
	f->tighten_due = true;
	return egress_set_ports(&f->elements, denied, web);
}

struct adding {
	struct firewall *f;
	int err;
};

static void on_profile(void *arg, unsigned id, const struct profile *def)
{
	(void)def;
	struct adding *adding = arg;
	uint32_t value = id, mark = id << adding->f->options.mark_shift;
	int err = elements_set(&adding->f->elements, SET_PROFILES, &mark, &value);
	adding->err = adding->err ? adding->err : err;
}

static int set_profiles(struct firewall *f)
{
	elements_unset_all(&f->elements, SET_PROFILES);
	struct adding adding = { .f = f };
	for (unsigned id = PROFILE_WALLED; id <= PROFILE_INTRANET; id++)
		on_profile(&adding, id, NULL);
	profiles_each(&f->profiles, on_profile, &adding);
	return adding.err;
}

static void on_mask(void *arg, unsigned id, const struct list_bits *bits)
{
	(void)bits;
	struct adding *adding = arg;
	uint32_t value = id;
	uint32_t mark = id << MARK_MASK_ID_SHIFT << adding->f->options.mark_shift;
	int err = elements_set(&adding->f->elements, SET_MASKS, &mark, &value);
	adding->err = adding->err ? adding->err : err;
}

static int set_masks(struct firewall *f)
{
	elements_unset_all(&f->elements, SET_MASKS);
	struct adding adding = { .f = f };
	masks_each(&f->masks, on_mask, &adding);
	return adding.err;
}

int firewall_masks_changed(struct firewall *f)
{
	f->rules_due = true;
	f->tighten_due = true;
	return set_masks(f);
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
		err = set_masks(f);
	feed_set_clock(&f->feed, clock_mono_ms());
	return err ? err : feed_adopt(&f->feed, &f->nft);
}

void firewall_distrust(struct firewall *f)
{
	f->load_due = true;
	f->rules_due = true;
}

void firewall_distrust_fed(struct firewall *f)
{
	firewall_distrust(f);
	f->feed.rewrite_due = true;
}

bool firewall_has_more(const struct firewall *f)
{
	return f->feed.cursor.more;
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
	int err = elements_set(&f->elements, SET_EPOCH_OK, &epoch, NULL);
	uint32_t limited = epoch | CT_MARK_LIMITED;
	for (size_t i = 0; i < sizeof(both) && !err; i++) {
		err = elements_set(&f->elements, SET_EPOCH, &both[i], &epoch);
		if (!err)
			err = elements_set(&f->elements, SET_EPOCH_LIMITED, &both[i], &limited);
	}
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
	if (!err && !has_table)
		firewall_distrust_fed(f);
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
	if (!err)
		err = limits_load(&f->limits, &f->nft);
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
	/* A combination may have gone without notice: what leads to a chain and the chains that are
	 * declared have to be of one moment. */
	if (rules)
		err = set_masks(f);
	if (err)
		return err;
	if (!rules && !elements_are_dirty(&f->elements) && !feed_is_dirty(&f->feed) &&
		!limits_are_dirty(&f->limits))
		return 0;
	struct losing losing;
	find_losing(f, &losing);
	struct nft_batch b;
	nft_batch_init(&b, &f->nft);
	if (rules)
		ruleset_write(&b, &f->options, &f->profiles, &f->masks, f->anew_due);
	limits_write_new(&f->limits, &b);
	elements_write(&f->elements, &b);
	limits_write_old(&f->limits, &b);
	feed_write(&f->feed, &b);
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
	f->adopted = false;
	limits_committed(&f->limits);
	feed_committed(&f->feed);
	if (rules) {
		foreign_clear(&f->foreign);
		masks_written(&f->masks);
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
