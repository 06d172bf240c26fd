/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/fwd.h"

#include "common/log.h"
#include "fwd/marks.h"
#include <stdlib.h>
#include <string.h>

/* What a device has in the maps; hangs on its view. */
struct entry {
	const char *interface; /* of the configuration */
	struct addr addresses[8];
	size_t count;
	struct combination *lists; /* that act on it by address */
};

static const char *find_interface(const struct fwd *f, const char *tunnel)
{
	const struct conf_shared *conf = &f->conf->shared;
	if (!tunnel || !*tunnel)
		return conf->tunnel_count ? conf->tunnels[0].interface : NULL;
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (!strcmp(conf->tunnels[i].name, tunnel))
			return conf->tunnels[i].interface;
	return NULL;
}

static bool is_walled(const struct fwd *f, const struct device_view *v)
{
	/* F7: both switches together are walled. */
	return (v->offline_vpn && v->offline_browser) ||
	       profiles_find(&f->firewall.profiles, v->profile) == PROFILE_WALLED;
}

static uint32_t make_mark(const struct fwd *f, const struct device_view *v, const struct entry *e,
	const struct addr *a)
{
	uint32_t mark = v->rate_kbit > 0 ? MARK_LIMITED : 0;
	/* A device without IPv6 is refused there, at once. */
	if ((v->offline_vpn && v->offline_browser) || (a->family == AF_INET6 && !v->v6))
		return mark | PROFILE_WALLED;
	mark |= profiles_find(&f->firewall.profiles, v->profile);
	if (v->offline_vpn)
		mark |= MARK_OFFLINE_VPN;
	if (v->offline_browser)
		mark |= MARK_OFFLINE_BROWSER;
	/* Nothing more comes between a walled device and its renewal hosts. */
	if (is_walled(f, v))
		return mark;
	if (v->strict)
		mark |= MARK_STRICT;
	if (v->https_path == HTTPS_PATH_SPLICE)
		mark |= MARK_SPLICED;
	if (v->quic == QUIC_JUDGE)
		mark |= MARK_QUIC;
	if (v->egress != EGRESS_OFF)
		mark |= v->egress == EGRESS_DENY_TUNNELS ? MARK_EGRESS_DENY_TUNNELS
							 : MARK_EGRESS_WEB;
	return mark | masks_id(e->lists) << MARK_MASK_ID_SHIFT;
}

/* The combination of lists that act on it; a new one is in the rules of the same transaction. */
static int take_lists(struct fwd *f, const struct device_view *v, struct entry *e)
{
	struct masks *m = &f->firewall.masks;
	struct combination *next = NULL;
	bool is_new = false;
	int err = 0;
	if (!is_walled(f, v))
		err = masks_take(m, lists_bits(&f->lists, v), &next, &is_new);
	if (err)
		return err;
	masks_drop(m, e->lists);
	e->lists = next;
	f->masks_due = f->masks_due || is_new;
	return 0;
}

static bool is_still_its(const struct device_view *v, const struct entry *e, const char *interface,
	const struct addr *a)
{
	if (e->interface != interface)
		return false;
	for (size_t i = 0; i < v->address_count; i++)
		if (addr_equal(&v->addresses[i], a))
			return true;
	return false;
}

/* Takes out what the device had and has no more. An address that is another's by now stays, without
 * what the device was told and what it has open. */
static void remove_stale(
	struct fwd *f, struct device_view *v, struct entry *e, const char *interface)
{
	for (size_t i = 0; i < e->count; i++) {
		const struct addr *a = &e->addresses[i];
		const struct device_view *owner = directory_find(f->directory, a);
		bool is_another = owner && owner != v;
		if (!is_another && interface && is_still_its(v, e, interface, a))
			continue;
		if (!is_another || e->interface != interface)
			firewall_remove_device(&f->firewall, e->interface, a);
		else
			firewall_hand_over(&f->firewall, a);
	}
}

static struct entry *get_entry(struct device_view *v)
{
	if (!v->user)
		v->user = calloc(1, sizeof(struct entry));
	return v->user;
}

int fwd_note_device(struct fwd *f, struct device_view *v)
{
	const char *interface = find_interface(f, v->tunnel);
	struct entry *e = get_entry(v);
	size_t count = 0;
	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < e->count; i++)
		if (!interface || !is_still_its(v, e, interface, &e->addresses[i]) ||
			directory_find(f->directory, &e->addresses[i]) != v)
			firewall_hand_over(&f->firewall, &e->addresses[i]);
	for (size_t i = 0; interface && i < v->address_count; i++)
		if (directory_find(f->directory, &v->addresses[i]) == v)
			e->addresses[count++] = v->addresses[i];
	e->interface = interface;
	e->count = count;
	return 0;
}

void fwd_disown_device(struct fwd *f, struct device_view *v)
{
	const struct entry *e = v->user;
	for (size_t i = 0; e && i < e->count; i++)
		firewall_hand_over(&f->firewall, &e->addresses[i]);
}

static uint32_t get_kbit(const struct device_view *v)
{
	if (v->rate_kbit <= 0)
		return 0;
	return v->rate_kbit > UINT32_MAX ? UINT32_MAX : (uint32_t)v->rate_kbit;
}

int fwd_take_device(struct fwd *f, struct device_view *v)
{
	struct entry *e = get_entry(v);
	const char *interface = find_interface(f, v->tunnel);
	if (!e)
		return -ENOMEM;
	remove_stale(f, v, e, interface);
	int err = take_lists(f, v, e);
	e->interface = interface;
	e->count = 0;
	if (!interface) {
		log_warning("device of an unknown tunnel device=%s", v->id);
		return 0;
	}
	for (size_t i = 0; i < v->address_count; i++) {
		const struct addr *a = &v->addresses[i];
		if (directory_find(f->directory, a) != v)
			continue; /* two devices claim it, and the directory says whose it is */
		if (!err)
			err = firewall_set_device(
				&f->firewall, interface, a, make_mark(f, v, e, a));
		if (!err)
			err = firewall_set_rate(
				&f->firewall, interface, a, &v->addresses[0], get_kbit(v));
		e->addresses[e->count++] = *a;
	}
	return err;
}

static int take_all(struct fwd *f)
{
	int err = 0;
	for (struct device_view *v = NULL; (v = directory_next(f->directory, v)) && !err;)
		err = fwd_take_device(f, v);
	return err;
}

int fwd_take_devices(struct fwd *f)
{
	firewall_forget_devices(&f->firewall);
	f->masks_due = true;
	int err = take_all(f);
	return err ? err : fwd_settle_lists(f);
}

int fwd_settle_lists(struct fwd *f)
{
	int err = 0;
	if (masks_settle(&f->firewall.masks)) {
		f->masks_due = true;
		err = take_all(f);
		f->due |= err ? DUE_DEVICES : 0;
	}
	if (!err && f->masks_due)
		err = firewall_masks_changed(&f->firewall);
	f->masks_due = err != 0;
	bool sharing = f->firewall.masks.sharing > 1;
	if (sharing && !f->sharing)
		fwd_alarm(f, "list_combinations", "the rarest share a stricter one");
	f->sharing = sharing;
	return err;
}

void fwd_drop_device(struct fwd *f, struct device_view *v)
{
	struct entry *e = v->user;
	if (e && f->known)
		remove_stale(f, v, e, NULL);
	if (e)
		masks_drop(&f->firewall.masks, e->lists);
	free(e);
	v->user = NULL;
}
