/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/fwd.h"

#include "common/log.h"
#include "fwd/dump.h"
#include "fwd/sysctl.h"
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_MS = 2000 };

void fwd_alarm(struct fwd *f, const char *what, const char *detail)
{
	struct rec_alarm alarm = { .what = (char *)what, .detail = (char *)detail };
	rec_mark(&alarm, alarm, what);
	rec_mark(&alarm, alarm, detail);
	cJSON *json = codec_encode(REC_alarm, &alarm);
	if (json)
		bus_event_send(f->daemon->bus, EVENT_fwd_alarm, json);
}

static void on_profile_refused(void *arg, const char *name, const char *fault)
{
	struct fwd *f = arg;
	char detail[384];
	snprintf(detail, sizeof(detail), "%s: %s", name, fault);
	fwd_alarm(f, "profile_refused", detail);
	f->profile_refused = true;
}

/* Until the rules are whole again nothing of a device is forwarded. */
static void on_loss(void *arg)
{
	struct fwd *f = arg;
	firewall_distrust(&f->firewall);
	if (f->forwarding)
		routing_hold_forwarding(&f->routing);
	f->forwarding = false;
}

static void on_drift(void *arg, bool foreign, bool fed, const char *who)
{
	struct fwd *f = arg;
	if (fed)
		firewall_distrust_fed(&f->firewall);
	else
		firewall_distrust(&f->firewall);
	f->keep_until_ms = 0;
	if (foreign) {
		f->heals++;
		log_warning("rules were changed by another program, restoring them program=\"%s\"",
			who);
		fwd_alarm(f, "rules_changed", who);
	}
	if (fwd_settle(f))
		fwd_schedule(f);
}

static void on_networks(void *arg)
{
	fwd_take(arg, DUE_LAN);
}

static void on_routing(void *arg, const char *what)
{
	struct fwd *f = arg;
	f->heals++;
	log_warning("routing was changed by another program, restored what=%s", what);
	fwd_alarm(f, "routing_changed", what);
}

static void on_unguarded(void *arg, const char *what)
{
	fwd_alarm(arg, "routing_unguarded", what);
}

/* Text: byte counters pass 2^53. */
static void on_refusal(void *arg, const struct refusal *r)
{
	struct fwd *f = arg;
	const struct device_view *v = directory_find(f->directory, &r->device);
	char packets[24], bytes[24];
	if (!v)
		return;
	snprintf(packets, sizeof(packets), "%" PRIu64, r->packets);
	snprintf(bytes, sizeof(bytes), "%" PRIu64, r->bytes);
	struct rec_refusal_count rec = { .device = (char *)v->id,
		.reason = (char *)reason_name(r->reason),
		.packets = packets,
		.bytes = bytes };
	rec_mark(&rec, refusal_count, device);
	rec_mark(&rec, refusal_count, reason);
	rec_mark(&rec, refusal_count, packets);
	rec_mark(&rec, refusal_count, bytes);
	cJSON *json = codec_encode(REC_refusal_count, &rec);
	if (json)
		bus_event_send(f->daemon->bus, EVENT_fwd_count, json);
}

static void add_store(struct ruleset_options *o, const char *where)
{
	if (o->store_count < STORES_MAX && !endpoint_parse(where, &o->stores[o->store_count]))
		o->store_count++;
}

/* Where proxyd's bus is: the server in use, and the Sentinels that name it. */
static void add_stores(struct ruleset_options *o, const struct fwd *f)
{
	const struct conf_strings *sentinels = &f->conf->shared.redis_sentinels;
	const char *server = bus_server(f->daemon->bus);
	if (server && !strncmp(server, "tcp:", 4))
		add_store(o, server + 4);
	for (size_t i = 0; i < sentinels->n; i++)
		add_store(o, sentinels->v[i]);
}

static struct ruleset_options make_options(const struct fwd *f, const struct fwd_conf *conf)
{
	struct ruleset_options o = { .intercept = conf->intercept,
		.masquerade = conf->masquerade,
		.guards_routing = fwd_conf_guards_routing(f->conf),
		.dns_port = (uint16_t)conf->dns_port,
		.proxy_port = (uint16_t)conf->proxy_port,
		.http_port = (uint16_t)conf->http_port,
		.tls_port = (uint16_t)conf->tls_port,
		.resolver = conf->resolver,
		.mark_shift = (unsigned)conf->mark_shift,
		.path_queue = (uint16_t)f->conf->path_queue };
	add_stores(&o, f);
	/* The configuration was checked; a user that went since has no connections. */
	if (*conf->proxyd_user)
		fwd_find_uid(conf->proxyd_user, &o.proxyd_uid);
	return o;
}

static void take_path(struct fwd *f)
{
	struct ruleset_options *o = &f->firewall.options;
	o->path = f->path.is_on && f->path_wanted;
	/* Until there was a reader no packet waits for its answer. */
	o->path_kind = f->path.seen_ms ? f->queue_kind : PATH_QUEUE_NONE;
}

/* Flows that are under way go on; what is to be judged without a reader is refused. */
static void on_path(void *arg)
{
	struct fwd *f = arg;
	bool was_on = f->firewall.options.path;
	take_path(f);
	bool on = f->firewall.options.path;
	if (on == was_on)
		return;
	f->firewall.rules_due = true;
	log_notice(on ? "HTTPS is judged in the path"
		      : "HTTPS goes to proxyd, nobody reads in the path");
	fwd_alarm(f, on ? "path_on" : "path_off", "");
	if (fwd_settle(f))
		fwd_schedule(f);
}

/* What needs no handle. */
static int prepare(struct fwd *f)
{
	lists_init(&f->lists);
	int err = firewall_init(&f->firewall);
	if (err)
		return err;
	f->firewall.on_profile_refused = on_profile_refused;
	f->firewall.arg = f;
	f->path_wanted = f->conf->path && f->conf->intercept;
	f->queue_kind = path_probe_queue(&f->firewall.nft);
	struct ruleset_options options = make_options(f, f->conf);
	err = firewall_set_conf(&f->firewall, &f->conf->shared, &options);
	bool has_table = false;
	if (!err)
		err = nft_has_table(&f->firewall.nft, &has_table);
	/* After a restart the rules of the former run are in force: no gap. */
	if (!err && !has_table)
		sysctl_stop_forwarding(SYSCTL_DIR, &f->conf->shared);
	else if (!err)
		f->keep_until_ms = clock_mono_ms() + KEEP_MS;
	if (!err)
		err = firewall_adopt_devices(&f->firewall);
	f->lists.adopted = masks_are_adopted(&f->firewall.masks);
	return err;
}

static int start_parts(struct fwd *f)
{
	static const struct drift_ops drift_ops = { on_loss, on_drift };
	static const struct routing_ops routing_ops = { on_routing, on_unguarded };
	uv_loop_t *loop = &f->daemon->loop;
	bool guards = fwd_conf_guards_routing(f->conf);
	int err = cut_open(&f->cut, loop);
	if (!err)
		err = counts_open(&f->counts, loop, f->conf->mark_shift, on_refusal, f);
	if (!err)
		err = routing_open(
			&f->routing, loop, &f->conf->shared, guards, SYSCTL_DIR, &routing_ops, f);
	/* Rules that are there may give no mark: of an earlier version, or with another
	 * configuration. */
	if (!err && (!f->keep_until_ms || !guards))
		routing_guard(&f->routing);
	if (!err)
		err = networks_open(&f->networks, loop, &f->conf->shared, on_networks, f);
	if (!err)
		err = path_open(
			&f->path, loop, f->queue_kind, (uint16_t)f->conf->path_queue, on_path, f);
	if (!err) {
		take_path(f);
		err = drift_open(&f->drift, loop, nft_port(&f->firewall.nft), &drift_ops, f);
	}
	if (!err)
		err = fwd_bus_start(f);
	return err ? err : fwd_settle(f);
}

/* Of what runs: tunnels and the shift of marks stay. */
static void reconfigure(struct fwd *f, const struct fwd_conf *conf)
{
	struct ruleset_options options = make_options(f, conf);
	options.mark_shift = f->firewall.options.mark_shift;
	if (firewall_set_conf(&f->firewall, &f->conf->shared, &options))
		f->due |= DUE_CONF;
	take_path(f);
}

/* Redis is elsewhere, and proxyd is to reach it there, too. */
static void on_server(void *arg)
{
	struct fwd *f = arg;
	reconfigure(f, f->conf);
	fwd_schedule(f);
}

static int start(struct daemon *d)
{
	struct fwd *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	d->state = f;
	f->daemon = d;
	f->conf = d->conf;
	int err = prepare(f);
	if (err) {
		log_error("no nf_tables error=%s", strerror(-err));
		return err;
	}
	err = timer_init(&d->loop, &f->settle, fwd_on_settle, f);
	if (err)
		return err;
	f->started = true;
	bus_watch_server(d->bus, on_server, f);
	err = start_parts(f);
	if (err)
		log_error("start failed error=%s", strerror(-err));
	else if (!f->known)
		log_notice("devices unknown, what the kernel has stays");
	return err;
}

static void reload(struct daemon *d, void *next)
{
	struct fwd *f = d->state;
	/* Tunnels are taken at a start; rules stay meanwhile. */
	const struct fwd_conf *conf = next;
	f->path_wanted = conf->path && conf->intercept;
	reconfigure(f, conf);
	firewall_distrust(&f->firewall);
	/* A former run's rules may be kept for a while, or a transaction fail. */
	daemon_reload_late(d);
	if (fwd_settle(f))
		fwd_schedule(f);
}

/* Rules stay in force. */
static void stop(struct daemon *d)
{
	struct fwd *f = d->state;
	if (!f || !f->started)
		return;
	f->closing = true;
	bus_watch_server(d->bus, NULL, NULL);
	fwd_bus_stop(f);
	networks_close(&f->networks);
	drift_close(&f->drift);
	path_close(&f->path);
	cut_close(&f->cut);
	counts_close(&f->counts);
	routing_close(&f->routing);
	timer_close(&f->settle, NULL);
}

static void fini(struct daemon *d)
{
	struct fwd *f = d->state;
	if (!f)
		return;
	networks_fini(&f->networks);
	cut_fini(&f->cut);
	counts_fini(&f->counts);
	firewall_fini(&f->firewall);
	lists_fini(&f->lists);
	free(f);
	d->state = NULL;
}

static int dump(struct daemon *d, const char *arg)
{
	(void)d, (void)arg;
	struct nft n;
	int err = nft_open(&n);
	if (!err) {
		err = dump_table(&n, stdout);
		nft_close(&n);
	}
	if (err)
		log_error("table not read error=%s", strerror(-err));
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct daemon_command commands[] = {
		{ "dump", "Print the table that is in force and exit.", dump },
		{ 0 },
	};
	const struct daemon_info info = {
		.name = "fwd",
		.summary = "Keeps the table inet culvert as the bus says.",
		.id = BUS_FWD,
		.conf = fwd_conf_rows,
		.conf_count = fwd_conf_count,
		.conf_size = sizeof(struct fwd_conf),
		.caps = 1ULL << CAP_NET_ADMIN,
		.commands = commands,
		.start = start,
		.reload = reload,
		.stop = stop,
		.fini = fini,
	};
	return daemon_main(&info, argc, argv);
}
