/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/fwd.h"

#include "common/log.h"
#include "fwd/marks.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a device has in the maps; hangs on its view. */
struct entry {
	const char *interface; /* of the configuration */
	struct addr addresses[8];
	size_t count;
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

static uint32_t make_mark(const struct fwd *f, const struct device_view *v, const struct addr *a)
{
	/* F7: both switches together are walled. A device without IPv6 is refused there, at once.
	 */
	if ((v->offline_vpn && v->offline_browser) || (a->family == AF_INET6 && !v->v6))
		return PROFILE_WALLED;
	uint32_t mark = profiles_find(&f->firewall.profiles, v->profile);
	if (v->offline_vpn)
		mark |= MARK_OFFLINE_VPN;
	if (v->offline_browser)
		mark |= MARK_OFFLINE_BROWSER;
	return mark;
}

/* ---- devices ---- */

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

/* Takes out what the device had and has no more; an address that is another's by now stays. */
static void remove_stale(
	struct fwd *f, struct device_view *v, struct entry *e, const char *interface)
{
	for (size_t i = 0; i < e->count; i++) {
		const struct addr *a = &e->addresses[i];
		if (interface && is_still_its(v, e, interface, a))
			continue;
		const struct device_view *owner = directory_find(f->directory, a);
		if (!owner || owner == v || e->interface != interface)
			firewall_remove_device(&f->firewall, e->interface, a);
	}
}

static int take_device(struct fwd *f, struct device_view *v)
{
	struct entry *e = v->user;
	const char *interface = find_interface(f, v->tunnel);
	if (!e)
		e = v->user = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	remove_stale(f, v, e, interface);
	e->interface = interface;
	e->count = 0;
	if (!interface) {
		log_warning("device of an unknown tunnel device=%s", v->id);
		return 0;
	}
	int err = 0;
	for (size_t i = 0; i < v->address_count && !err; i++) {
		const struct addr *a = &v->addresses[i];
		if (directory_find(f->directory, a) != v)
			continue; /* two devices claim it, and the directory says whose it is */
		err = firewall_set_device(&f->firewall, interface, a, make_mark(f, v, a));
		e->addresses[e->count++] = *a;
	}
	return err;
}

int fwd_take_devices(struct fwd *f)
{
	elements_unset_all(&f->firewall.elements, SET_DEVICES4);
	elements_unset_all(&f->firewall.elements, SET_DEVICES6);
	f->firewall.tighten_due = true;
	int err = 0;
	for (struct device_view *v = NULL; (v = directory_next(f->directory, v)) && !err;)
		err = take_device(f, v);
	return err;
}

static void on_device(void *arg, struct device_view *v)
{
	struct fwd *f = arg;
	if (f->known && take_device(f, v))
		log_error("no memory for a device device=%s", v->id);
	fwd_schedule(f);
}

static void on_gone(void *arg, struct device_view *v)
{
	struct fwd *f = arg;
	struct entry *e = v->user;
	if (e && f->known)
		remove_stale(f, v, e, NULL);
	free(e);
	v->user = NULL;
	fwd_schedule(f);
}

static void on_batch_end(void *arg)
{
	fwd_schedule(arg);
}

/* ---- settings ---- */

int fwd_take_lan(struct fwd *f)
{
	const struct settings *s = directory_settings(f->directory);
	size_t n = s->lan_prefix_count + f->networks.n;
	struct prefix *v = calloc(n ? n : 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < s->lan_prefix_count; i++)
		v[i] = s->lan_prefixes[i];
	for (size_t i = 0; i < f->networks.n; i++)
		v[s->lan_prefix_count + i] = f->networks.v[i];
	int err = firewall_set_lan(&f->firewall, v, n);
	free(v);
	return err;
}

static void on_settings(void *arg, const struct settings *s)
{
	(void)s;
	struct fwd *f = arg;
	if (!f->directory)
		return; /* from within directory_open; fwd_bus_start takes it */
	if (fwd_take_lan(f))
		log_error("no memory for the LAN's prefixes");
	fwd_schedule(f);
}

/* ---- profiles ---- */

static void on_profile(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	(void)topic, (void)owner;
	struct fwd *f = arg;
	struct profile def;
	char why[160] = "";
	int err = rec ? profile_parse(rec, &def, why, sizeof(why)) : -ENOENT;
	if (!err)
		err = profiles_set(&f->firewall.profiles, id, &def);
	if (!err)
		return;
	/* Its devices are walled from now on. */
	profiles_remove(&f->firewall.profiles, id);
	if (rec)
		log_warning("profile refused name=%s error=%s why=\"%s\"", id, strerror(-err), why);
}

static void on_profiles_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	(void)topic, (void)owner;
	struct fwd *f = arg;
	f->profiles_gen = gen;
	int err = firewall_profiles_changed(&f->firewall);
	if (!err && f->known)
		err = fwd_take_devices(f); /* a name may lead to another profile now */
	if (err)
		log_error("no memory for profiles");
	fwd_schedule(f);
}

/* ---- status ---- */

static void on_counter(void *arg, const char *name, uint64_t packets, uint64_t bytes)
{
	(void)bytes;
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, packets);
	cJSON_AddStringToObject(arg, name, text);
}

static void fill_status(void *arg, cJSON *status)
{
	struct fwd *f = arg;
	cJSON_AddBoolToObject(status, "known", f->known);
	cJSON_AddBoolToObject(status, "failing", f->failing);
	cJSON_AddNumberToObject(status, "rewrites", (double)f->firewall.rewrites);
	cJSON_AddNumberToObject(status, "updates", (double)f->firewall.updates);
	cJSON_AddNumberToObject(status, "heals", (double)f->heals);
	cJSON_AddNumberToObject(status, "policy_epoch", f->firewall.epoch);
	cJSON *refused = cJSON_AddObjectToObject(status, "refused_packets");
	if (refused && nft_read_counters(&f->firewall.nft, on_counter, refused))
		log_debug("counters not read");
}

void fwd_report_applied(struct fwd *f)
{
	if (f->known)
		directory_applied(f->directory);
	if (bus_topic_is_known(f->daemon->bus, TOPIC_profiles, BUS_APID))
		bus_topic_applied(f->daemon->bus, TOPIC_profiles, BUS_APID, f->profiles_gen);
}

int fwd_bus_start(struct fwd *f)
{
	static const struct bus_topic_ops profile_ops = { on_profile, on_profiles_end };
	static const struct directory_ops ops = { on_device, on_gone, on_batch_end, on_settings };
	struct bus *bus = f->daemon->bus;
	bus_set_status_source(bus, fill_status, f);
	int err = bus_subscribe(bus, TOPIC_profiles, BUS_APID, &profile_ops, f);
	if (err)
		return err;
	f->directory = directory_open(&f->daemon->loop, bus, &ops, f);
	return f->directory ? fwd_take_lan(f) : -ENOMEM;
}

void fwd_bus_stop(struct fwd *f)
{
	if (!f->directory)
		return;
	for (struct device_view *v = NULL; (v = directory_next(f->directory, v));) {
		free(v->user);
		v->user = NULL;
	}
	directory_close(f->directory);
	f->directory = NULL;
}
