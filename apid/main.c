/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/apid.h"
#include "apid/policy_drop.h"
#include "common/log.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

static void fill_status(void *arg, cJSON *status)
{
	const struct apid *a = arg;

	cJSON_AddBoolToObject(status, "database", a->store && store_is_ready(a->store));
	publisher_fill_status(a->publisher, status);
	appeals_report(&a->appeals, status);
	live_fill_status(&a->live, status);
	statistics_fill_status(&a->statistics, status);
}

static int open_notify(struct daemon *d, struct apid *a)
{
	const struct apid_conf *conf = d->conf;
	static const char *const alpn[] = { "http/1.1", NULL };
	struct tls_config tls = { .ca_file = conf->notify_ca, .alpn = alpn };
	struct outside *o = &a->notify.outside;
	int r = tls_ctx_new(&tls, &o->tls);

	if (r) {
		log_warning("CAs of notifications cannot be read, no server is trusted file=%s "
			    "error=%s",
			conf->notify_ca, strerror(-r));
		tls.ca_file = NULL;
		r = tls_ctx_new(&tls, &o->tls);
	}
	o->loop = &d->loop;
	o->resolver = r ? NULL : resolver_open(&d->loop, &conf->resolver);
	if (!o->resolver)
		return r ? r : -ENOMEM;
	o->allow_private = conf->notify_private;
	a->notify.store = a->store;
	a->notify.webhook_secret = conf->notify_webhook_secret.value;
	a->notify.smtp_password = conf->notify_smtp_password.value;
	notify_open(&a->notify);
	return 0;
}

static int open_appeals(struct daemon *d, struct apid *a)
{
	const struct apid_conf *conf = d->conf;
	int r;

	a->appeals = (struct appeals){ .store = a->store,
		.bus = d->bus,
		.notify = &a->notify,
		.requeue_ms = conf->appeals_requeue_s * 1000,
		.keep_ms = conf->appeals_days * 24 * 3600 * 1000 };
	r = policy_drop_serve(a->store, d->bus);
	return r ? r : appeals_open(&a->appeals, &d->loop);
}

static int start(struct daemon *d)
{
	const struct apid_conf *conf = d->conf;
	struct apid *a = d->state = calloc(1, sizeof(*a));
	struct seed *seed;
	int r;

	if (!a)
		return -ENOMEM;
	r = apid_check_db_hosts(conf);
	if (r)
		return r;
	r = apid_read_seed(conf, d->shared, &seed);
	if (r)
		return r;
	r = gateways_open(&a->gateways, &d->loop, d->bus, d->shared, CULVERT_VERSION);
	if (r)
		return r;
	a->publisher = publisher_open(&d->loop, d->bus, &a->gateways);
	a->store = a->publisher ? apid_open_store(d, a, seed) : NULL;
	if (!a->publisher)
		seed_free(seed);
	if (!a->store)
		return -ENOMEM;
	bus_set_status_source(d->bus, fill_status, a);
	r = open_notify(d, a);
	if (!r)
		r = open_appeals(d, a);
	if (!r)
		r = apid_open_api(d, a);
	if (!r)
		r = apid_open_admin(d, a);
	if (!r)
		r = apid_open_devices(d, a);
	if (r)
		return r;
	a->purge = (struct purge){ .store = a->store,
		.audit_days = conf->audit_days,
		.audit_mib = conf->audit_mib,
		.session_idle_ms = a->api.session_idle_ms,
		.session_max_ms = a->api.session_max_ms };
	purge_open(&a->purge, &d->loop);
	a->device_request = (struct device_request){ .tunnels = d->shared->tunnels,
		.tunnel_count = d->shared->tunnel_count,
		.store = a->store,
		.publisher = a->publisher };
	r = device_request_serve(&a->device_request, &a->gateways);
	if (r)
		return r;
	a->provision = (struct provision){ .tunnels = d->shared->tunnels,
		.tunnel_count = d->shared->tunnel_count,
		.store = a->store,
		.publisher = a->publisher };
	return conf->provision.port ? provision_open(&d->loop, &conf->provision, &a->provision) : 0;
}

/* The old one is wiped with what else is left of the new configuration. */
static const char *take_secret(struct conf_secret *have, struct conf_secret *next)
{
	struct conf_secret old = *have;

	*have = *next;
	*next = old;
	return have->value;
}

/* Whoever shows, checks or signs with them looks at them anew each time. */
static void take_secrets(struct apid *a, struct apid_conf *have, struct apid_conf *next)
{
	a->api.directus_secret = take_secret(&have->directus_secret, &next->directus_secret);
	a->docs.turn_secret = take_secret(&have->turn_secret, &next->turn_secret);
	a->notify.webhook_secret =
		take_secret(&have->notify_webhook_secret, &next->notify_webhook_secret);
}

static void reload(struct daemon *d, void *next)
{
	struct apid *a = d->state;
	struct seed *seed;

	store_set_api_key(a->store, apid_api_key(next));
	take_secrets(a, d->conf, next);
	apid_name_admin(a, d->conf, next);
	/* The tunnels are those in force, not those of the new file. */
	if (!apid_read_seed(next, d->shared, &seed) && seed)
		store_seed(a->store, seed);
}

static void stop(struct daemon *d)
{
	struct apid *a = d->state;

	if (!a)
		return;
	purge_close(&a->purge);
	appeals_close(&a->appeals);
	notify_close(&a->notify);
	if (a->notify.outside.resolver)
		resolver_close(a->notify.outside.resolver);
	a->notify.outside.resolver = NULL;
	device_docs_close(&a->docs);
	live_close(&a->live);
	statistics_close(&a->statistics);
	front_close(a->provision.front);
	front_close(a->api.admin);
	device_listeners_close(a->devices);
	if (a->renew.on_fire)
		timer_close(&a->renew, NULL);
	if (a->publisher)
		publisher_close(a->publisher);
	if (a->store)
		store_close(a->store);
	gateways_close(&a->gateways);
}

static void fini(struct daemon *d)
{
	struct apid *a = d->state;

	if (!a)
		return;
	front_free(a->provision.front);
	front_free(a->api.admin);
	device_listeners_free(a->devices);
	api_fini(&a->api);
	tunnels_fini(&a->tunnels);
	live_fini(&a->live);
	statistics_fini(&a->statistics);
	alarms_fini(&a->alarms);
	statuses_fini(&a->statuses);
	tallies_fini(&a->tallies);
	peers_fini(&a->peers);
	appeals_fini(&a->appeals);
	notify_fini(&a->notify);
	followed_fini(&a->followed);
	admin_tls_close(&a->admin_tls);
	if (a->store)
		store_free(a->store);
	if (a->publisher)
		publisher_free(a->publisher);
	free(a);
	d->state = NULL;
	db_library_end();
}

int main(int argc, char **argv)
{
	const struct daemon_info info = {
		.name = "apid",
		.summary = "Culvert's API: devices, policy and administration, kept in MariaDB.",
		.id = BUS_APID,
		.conf = apid_conf_rows,
		.conf_count = apid_conf_count,
		.conf_size = sizeof(struct apid_conf),
		.caps = 1ULL << CAP_NET_BIND_SERVICE,
		.start = start,
		.reload = reload,
		.stop = stop,
		.fini = fini,
	};

	return daemon_main(&info, argc, argv);
}
