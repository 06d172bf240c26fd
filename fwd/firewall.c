/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/firewall.h"

#include "fwd/doh.h"
#include "fwd/egress.h"
#include "fwd/firewall_parts.h"
#include "fwd/marks.h"
#include "fwd/rules.h"
#include "fwd/special.h"
#include <arpa/inet.h>
#include <string.h>

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
		err = firewall_want_profiles(f);
	if (!err)
		err = firewall_want_masks(f);
	f->rules_due = true;
	f->tighten_due = true;
	return err;
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

int firewall_want_profiles(struct firewall *f)
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
	uint32_t mark = mask_mark(adding->f, id);
	int err = elements_set(&adding->f->elements, SET_MASKS, &mark, &value);
	adding->err = adding->err ? adding->err : err;
}

int firewall_want_masks(struct firewall *f)
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
	return firewall_want_masks(f);
}

int firewall_profiles_changed(struct firewall *f)
{
	f->rules_due = true;
	f->tighten_due = true;
	return firewall_want_profiles(f);
}
