/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/fwd.h"
#include "fwd/reach.h"

#include "common/log.h"
#include "fwd/marks.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_device(void *arg, struct device_view *v)
{
	struct fwd *f = arg;
	if (!f->directory)
		return; /* from within directory_open; fwd_bus_start notes it */
	if (f->known ? fwd_take_device(f, v) : fwd_note_device(f, v)) {
		log_error("no memory for a device device=%s", v->id);
		f->due |= f->known ? DUE_DEVICES : 0;
	}
	fwd_schedule(f);
}

static void on_gone(void *arg, struct device_view *v)
{
	struct fwd *f = arg;
	if (!f->known)
		fwd_disown_device(f, v);
	fwd_drop_device(f, v);
	fwd_schedule(f);
}

static void on_batch_end(void *arg)
{
	struct fwd *f = arg;
	if (f->known && fwd_settle_lists(f))
		log_error("no memory for combinations of lists");
	fwd_schedule(f);
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

int fwd_take_egress(struct fwd *f)
{
	const struct settings *s = directory_settings(f->directory);
	return firewall_set_egress(&f->firewall, &s->egress_denied_ports, &s->egress_web_ports);
}

static void on_settings(void *arg, const struct settings *s)
{
	(void)s;
	struct fwd *f = arg;
	if (!f->directory)
		return; /* from within directory_open; fwd_bus_start takes it */
	fwd_take(f, DUE_LAN | DUE_EGRESS);
}

/* ---- lists ---- */

static void on_list(
	void *arg, enum bus_topic topic, enum bus_daemon owner, const char *id, const void *rec)
{
	(void)topic, (void)owner;
	struct fwd *f = arg;
	if (lists_apply(&f->lists, id, rec))
		bus_record_lost(f->daemon->bus);
}

static void on_lists_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	(void)topic, (void)owner;
	struct fwd *f = arg;
	uint64_t freed;
	f->lists_gen = gen;
	if (!lists_settle(&f->lists, &freed)) {
		fwd_schedule(f);
		return;
	}
	f->freed_bits |= freed;
	fwd_take(f, DUE_FREED_BITS | DUE_DEVICES);
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
	if (err == -ENOMEM)
		bus_record_lost(f->daemon->bus);
	if (!err || err == -ENOMEM)
		return;
	/* Its devices are walled from now on. */
	profiles_remove(&f->firewall.profiles, id);
	if (!rec)
		return;
	char detail[256];
	snprintf(detail, sizeof(detail), "%s: %s", id, *why ? why : strerror(-err));
	log_warning("profile refused name=%s error=%s why=\"%s\"", id, strerror(-err), why);
	fwd_alarm(f, "profile_refused", detail);
}

static void on_profiles_end(void *arg, enum bus_topic topic, enum bus_daemon owner, uint64_t gen)
{
	(void)topic, (void)owner;
	struct fwd *f = arg;
	f->profiles_gen = gen;
	/* A name may lead to another profile now. */
	fwd_take(f, DUE_PROFILES | DUE_DEVICES);
}

/* ---- status ---- */

static void on_counter(void *arg, const char *name, uint64_t packets, uint64_t bytes)
{
	cJSON *status = arg;
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, packets);
	cJSON_AddStringToObject(cJSON_GetObjectItem(status, "refused_packets"), name, text);
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	cJSON_AddStringToObject(cJSON_GetObjectItem(status, "refused_bytes"), name, text);
}

static void fill_status(void *arg, cJSON *status)
{
	struct fwd *f = arg;
	cJSON_AddBoolToObject(status, "known", f->known);
	cJSON_AddBoolToObject(status, "failing", f->failing);
	cJSON_AddBoolToObject(status, "guarded", routing_is_guarded(&f->routing));
	cJSON_AddNumberToObject(status, "rewrites", (double)f->firewall.rewrites);
	cJSON_AddNumberToObject(status, "updates", (double)f->firewall.updates);
	cJSON_AddNumberToObject(status, "heals", (double)f->heals);
	cJSON_AddNumberToObject(status, "policy_epoch", f->firewall.epoch);
	cJSON_AddObjectToObject(status, "refused_packets");
	cJSON_AddObjectToObject(status, "refused_bytes");
	if (nft_read_counters(&f->firewall.nft, on_counter, status))
		log_debug("counters not read");
}

void fwd_report_applied(struct fwd *f)
{
	if (f->known)
		directory_applied(f->directory);
	if (bus_topic_is_known(f->daemon->bus, TOPIC_profiles, BUS_APID))
		bus_topic_applied(f->daemon->bus, TOPIC_profiles, BUS_APID, f->profiles_gen);
	if (bus_topic_is_known(f->daemon->bus, TOPIC_lists, BUS_SYNCD))
		bus_topic_applied(f->daemon->bus, TOPIC_lists, BUS_SYNCD, f->lists_gen);
}

/* As they are on the disk: whose the addresses were in the former run. */
static void note_devices(struct fwd *f)
{
	for (struct device_view *v = NULL; (v = directory_next(f->directory, v));)
		if (fwd_note_device(f, v))
			log_error("no memory for a device device=%s", v->id);
}

int fwd_bus_start(struct fwd *f)
{
	static const struct bus_topic_ops profile_ops = { on_profile, on_profiles_end };
	static const struct bus_topic_ops list_ops = { on_list, on_lists_end };
	static const struct directory_ops ops = { on_device, on_gone, on_batch_end, on_settings };
	struct bus *bus = f->daemon->bus;
	bus_set_status_source(bus, fill_status, f);
	int err = bus_subscribe(bus, TOPIC_profiles, BUS_APID, &profile_ops, f);
	if (!err)
		err = bus_subscribe(bus, TOPIC_lists, BUS_SYNCD, &list_ops, f);
	if (err)
		return err;
	f->directory = directory_open(&f->daemon->loop, bus, &ops, f);
	if (f->directory)
		note_devices(f);
	err = f->directory ? fwd_take_lan(f) : -ENOMEM;
	if (!err)
		err = fwd_take_egress(f);
	if (!err)
		err = serve_open(&f->serve, f);
	return err ? err : reach_serve(f);
}

void fwd_bus_stop(struct fwd *f)
{
	serve_close(&f->serve);
	if (!f->directory)
		return;
	f->known = false; /* what the kernel has stays */
	for (struct device_view *v = NULL; (v = directory_next(f->directory, v));)
		fwd_drop_device(f, v);
	directory_close(f->directory);
	f->directory = NULL;
}
