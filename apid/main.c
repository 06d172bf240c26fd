/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/admin_tls.h"
#include "apid/appeals.h"
#include "apid/conf.h"
#include "apid/db_host.h"
#include "apid/device_doc.h"
#include "apid/device_listeners.h"
#include "apid/device_request.h"
#include "apid/followed.h"
#include "apid/live.h"
#include "apid/notify.h"
#include "apid/peers.h"
#include "apid/policy_drop.h"
#include "apid/provision.h"
#include "apid/purge.h"
#include "apid/setup.h"
#include "apid/statistics.h"
#include "apid/tunnels.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/timer.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RENEW_MS = 24 * 3600 * 1000 };

struct apid {
	struct publisher *publisher;
	struct store *store;
	struct provision provision;
	struct api api;
	struct gateways gateways;
	struct tunnels tunnels;
	struct device_docs docs;
	struct peers peers;
	struct appeals appeals;
	struct tallies tallies;
	struct statuses statuses;
	struct alarms alarms;
	struct live live;
	struct statistics statistics;
	struct followed followed;
	struct notify notify;
	struct device_listeners *devices;
	struct purge purge;
	struct admin_tls admin_tls;
	struct timer renew;
	struct device_request device_request;
};

/* 0 with *out NULL when none is configured. */
static int apid_read_seed(
	const struct apid_conf *conf, const struct conf_shared *shared, struct seed **out)
{
	struct buf err;
	int r;

	*out = NULL;
	if (!conf->seed_file || !conf->seed_file[0])
		return 0;
	buf_init(&err, 4096);
	r = seed_read(conf->seed_file, shared->tunnels, shared->tunnel_count, out, &err);
	if (r)
		log_error("%s", err.data ? (const char *)err.data : strerror(-r));
	buf_fini(&err);
	return r;
}

/* K's name of the key; only from the environment (SPEC C1). */
static const char *apid_api_key(const struct apid_conf *conf)
{
	const char *env = getenv("API_KEY");

	return env && env[0] ? env : conf->api_key.value;
}

static void on_bad_seed(void *arg)
{
	daemon_stop(arg, 1);
}

static void fill_status(void *arg, cJSON *status)
{
	const struct apid *a = arg;

	cJSON_AddBoolToObject(status, "database", a->store && store_is_ready(a->store));
	publisher_fill_status(a->publisher, status);
	appeals_report(&a->appeals, status);
	live_fill_status(&a->live, status);
	statistics_fill_status(&a->statistics, status);
}

static void renew(struct apid *a)
{
	if (a->admin_tls.ctx && a->api.admin && !admin_tls_renew(&a->admin_tls))
		front_set_tls(a->api.admin, a->admin_tls.ctx);
}

static const char *endpoint_of(const struct apid *a)
{
	return publisher_settings(a->publisher)->endpoint;
}

/* What devices reach is what administrators type. */
static void apid_name_endpoint(struct apid *a)
{
	if (a->admin_tls.ctx && admin_tls_set_endpoint(&a->admin_tls, endpoint_of(a)))
		renew(a);
}

/* The configured names are those of next; where it listens stays. */
static void apid_name_admin(
	struct apid *a, const struct apid_conf *have, const struct apid_conf *next)
{
	if (admin_tls_set_names(&a->admin_tls, &next->admin_host, &have->admin))
		return;
	admin_tls_set_endpoint(&a->admin_tls, endpoint_of(a));
	renew(a);
}

static void on_loaded(void *arg)
{
	struct daemon *d = arg;
	struct apid *a = d->state;

	setup_check(&a->api);
	purge_now(&a->purge);
	apid_name_endpoint(a);
}

static void forget_device(struct apid *a, const char *id)
{
	peers_forget(&a->peers, id);
	tallies_forget(&a->tallies, id);
}

static void on_change(void *arg, const char *topic, const char *id)
{
	struct daemon *d = arg;
	struct apid *a = d->state;

	if (a->docs.api)
		device_docs_changed(&a->docs, topic, id);
	if (!strcmp(topic, "devices") && !table_find(store_table(a->store, TOPIC_devices), id))
		forget_device(a, id);
	if (!strcmp(topic, "settings") && !strcmp(id, "endpoint"))
		apid_name_endpoint(a);
}

static struct store *apid_open_store(struct daemon *d, struct apid *a, struct seed *seed)
{
	const struct apid_conf *conf = d->conf;
	struct store_options options = {
		.db = { .hosts = &conf->db_hosts,
			.socket = conf->db_socket,
			.name = conf->db_name,
			.user = conf->db_user,
			.password = conf->db_password.value },
		.api_key = apid_api_key(conf),
		.on_bad_seed = on_bad_seed,
		.on_loaded = on_loaded,
		.on_change = on_change,
		.arg = d,
	};

	return store_open(&d->loop, a->publisher, &options, seed);
}

/* ---- the administration ---- */

static const char *state_path(const struct daemon *d, const char *name, char out[static 4096])
{
	snprintf(out, 4096, "%s/%s", d->shared->state_dir, name);
	return out;
}

/* The one in links. */
static void admin_host(const struct apid_conf *conf, char out[static 256])
{
	if (conf->admin_host.n)
		snprintf(out, 256, "%s", conf->admin_host.v[0]);
	else
		addr_format(&conf->admin.addr, out);
}

static char *admin_url(const struct apid_conf *conf)
{
	char host[256], text[320];
	bool is_v6;

	admin_host(conf, host);
	is_v6 = strchr(host, ':');
	snprintf(text, sizeof(text), "https://%s%s%s:%d", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
		conf->admin.port);
	return strdup(text);
}

static void on_more(void *arg, const char *device, const struct tally *more)
{
	struct apid *a = arg;

	statistics_add(&a->statistics, device, more);
}

static void on_list(void *arg, const char *device, const char *list, uint64_t hits)
{
	struct apid *a = arg;

	statistics_add_list(&a->statistics, device, list, hits);
}

static void on_row(void *arg, const struct live_row *row)
{
	statistics_add_row(arg, row);
}

static int open_statistics(struct daemon *d, struct apid *a)
{
	const struct apid_conf *conf = d->conf;

	a->statistics = (struct statistics){ .store = a->store,
		.publisher = a->publisher,
		.options = { .write_s = conf->statistics_write_s,
			.kept_s = { conf->statistics_minute_h * 3600,
				conf->statistics_hour_days * 86400,
				conf->statistics_day_days * 86400 },
			.domains_s = conf->statistics_domain_days * 86400,
			.rows_max = conf->statistics_rows } };
	a->tallies.on_more = on_more;
	a->tallies.on_list = on_list;
	a->tallies.arg = a;
	a->live.on_row = on_row;
	a->live.arg = &a->statistics;
	return statistics_open(&a->statistics, &d->loop);
}

/* Every apid hears of it: the one that publishes tells it on. */
static void on_alarm(void *arg, const struct alarm *alarm, bool is_new)
{
	struct apid *a = arg;

	if (is_new && store_is_publisher(a->store))
		notify_alarm(&a->notify, alarm);
}

static int apid_open_live(struct daemon *d, struct apid *a)
{
	const struct apid_conf *conf = d->conf;
	int r = peers_open(&a->peers, &a->gateways, a->store);

	if (!r)
		r = tallies_open(&a->tallies, &a->gateways, a->store);
	if (!r)
		r = statuses_open(&a->statuses, d->bus, &a->gateways);
	if (!r)
		r = alarms_open(&a->alarms, &a->gateways);
	a->alarms.on_alarm = on_alarm;
	a->alarms.arg = a;
	a->live.api = &a->api;
	a->live.options = (struct live_options){ .readers_max = (size_t)conf->live_readers,
		.per_credential = (size_t)conf->live_readers_per_session,
		.ping_ms = (uint32_t)conf->live_ping_s * 1000,
		.instance = d->shared->instance };
	a->live.stats = (struct stats){ .tallies = &a->tallies,
		.peers = &a->peers,
		.statuses = &a->statuses,
		.alarms = &a->alarms };
	a->api.live = &a->live;
	a->api.metrics_token = conf->metrics_token.value;
	if (!r)
		r = live_open(&a->live);
	return r ? r : open_statistics(d, a);
}

static int apid_open_api(struct daemon *d, struct apid *a)
{
	const struct apid_conf *conf = d->conf;
	struct api *api = &a->api;
	char path[4096];
	int r;

	*api = (struct api){ .loop = &d->loop,
		.store = a->store,
		.publisher = a->publisher,
		.bus = d->bus,
		.gateways = &a->gateways,
		.tunnels = d->shared->tunnels,
		.tunnel_count = d->shared->tunnel_count,
		.passwords = { .loop = &d->loop, .cost = (int)conf->bcrypt_cost },
		.session_idle_ms = conf->session_idle_min * 60000,
		.session_max_ms = conf->session_max_h * 3600000,
		.setup_file = strdup(state_path(d, "setup-link", path)),
		.backup_request_file = strdup(state_path(d, "backup-request", path)),
		.backup_status_file = strdup(state_path(d, "../backup/status.json", path)),
		.admin_url = admin_url(conf) };
	limiter_init(
		&api->accounts, (uint32_t)conf->rate_account, (uint32_t)conf->rate_account * 5);
	limiter_init(&api->hints, 10, 50);
	api->directus_secret = conf->directus_secret.value;
	api->followed = &a->followed;
	api->notify = &a->notify;
	api->tunnel_infos = &a->tunnels;
	api->docs = &a->docs;
	api->peers = &a->peers;
	a->docs.turn_secret = conf->turn_secret.value;
	a->docs.turn_uris = &conf->turn_uris;
	a->docs.turn_ttl_s = conf->turn_ttl_s;
	r = api_init(api);
	if (!r)
		r = tunnels_open(&a->tunnels, &a->gateways);
	if (!r)
		r = followed_open(&a->followed, d->bus, &a->gateways);
	if (!r)
		r = apid_open_live(d, a);
	if (!r)
		r = device_docs_open(&a->docs, api);
	if (!r)
		r = secret_open(&api->secret, conf->secret.value, state_path(d, "secret", path));
	return r;
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

static void on_renew(struct timer *t)
{
	renew(t->data);
}

static int apid_open_admin(struct daemon *d, struct apid *a)
{
	const struct apid_conf *conf = d->conf;
	struct front_options options = {
		.name = "administration",
		.at = conf->admin,
		.connections_max = 2048,
		.connections_per_address = 256,
		.v6_len = 64,
		.body_max = 65536,
		.rate = (uint32_t)conf->rate_address,
		.burst = (uint32_t)conf->rate_address * 5,
		.trusted = &conf->trusted_proxies,
		.ops = api_front_ops(FRONT_ADMIN),
		.arg = &a->api,
	};
	bool has_files = conf->admin_cert_file && conf->admin_cert_file[0];
	int r = 0;

	if (!conf->admin.port)
		return 0;
	a->admin_tls = (struct admin_tls){ .dir = d->shared->state_dir,
		.cert_file = has_files ? conf->admin_cert_file : NULL,
		.key_file = conf->admin_key_file };
	r = admin_tls_set_names(&a->admin_tls, &conf->admin_host, &conf->admin);
	if (!r && conf->admin_tls)
		r = admin_tls_renew(&a->admin_tls);
	timer_init(&d->loop, &a->renew, on_renew, a);
	timer_start(&a->renew, RENEW_MS, RENEW_MS);
	options.tls = a->admin_tls.ctx;
	return r ? r : front_open(&d->loop, &options, &a->api.admin);
}

static int apid_open_devices(struct daemon *d, struct apid *a)
{
	const struct apid_conf *conf = d->conf;
	const struct gateway *here = gateways_find(&a->gateways, d->shared->gateway);
	struct device_listeners_options options = { .gateway = d->shared->gateway,
		.bus = here ? here->bus : d->bus,
		.port = (uint16_t)conf->device_port,
		.dir = d->shared->state_dir,
		.rate = (uint32_t)conf->rate_address,
		.api = &a->api };

	return conf->device_port ? device_listeners_open(&options, &a->devices) : 0;
}

/* Between machines the database's protocol is in the clear, as the bus is. */
static int apid_check_db_hosts(const struct apid_conf *conf)
{
	struct db_host host;
	struct addr a;

	for (size_t i = 0; i < conf->db_hosts.n; i++) {
		int err = db_host_parse(conf->db_hosts.v[i], &host);
		bool is_inside =
			!err && (host.socket || (!addr_parse(host.address, &a) &&
							conf_is_inside(&conf->shared, &a)));

		db_host_fini(&host);
		if (is_inside)
			continue;
		log_error("apid.db_hosts: %s is another machine, and in none of bus.networks: it "
			  "must be inside of a tunnel",
			conf->db_hosts.v[i]);
		return err ? err : -EINVAL;
	}
	return 0;
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
