/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/apid.h"

#include <stdio.h>
#include <string.h>

enum { RENEW_MS = 24 * 3600 * 1000 };

static void renew(struct apid *a)
{
	if (a->admin_tls.ctx && a->api.admin && !admin_tls_renew(&a->admin_tls))
		front_set_tls(a->api.admin, a->admin_tls.ctx);
}

static const char *endpoint_of(const struct apid *a)
{
	return publisher_settings(a->publisher)->endpoint;
}

void apid_name_endpoint(struct apid *a)
{
	if (a->admin_tls.ctx && admin_tls_set_endpoint(&a->admin_tls, endpoint_of(a)))
		renew(a);
}

void apid_name_admin(struct apid *a, const struct apid_conf *have, const struct apid_conf *next)
{
	if (admin_tls_set_names(&a->admin_tls, &next->admin_host, &have->admin))
		return;
	admin_tls_set_endpoint(&a->admin_tls, endpoint_of(a));
	renew(a);
}

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

int apid_open_api(struct daemon *d, struct apid *a)
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

static void on_renew(struct timer *t)
{
	renew(t->data);
}

int apid_open_admin(struct daemon *d, struct apid *a)
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

int apid_open_devices(struct daemon *d, struct apid *a)
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
