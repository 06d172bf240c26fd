/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "dnsd/dnsd.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

static int listen_at(struct dnsd *d, const struct endpoint *at, bool system)
{
	static const struct udp_listener_ops udp_ops = { .on_query = query_take,
		.on_batch = query_look_ahead };
	static const struct tcp_listener_ops ops = { .on_query = query_take,
		.is_known = query_source_is_known };
	uv_loop_t *loop = &d->daemon->loop;
	size_t n = d->listener_count;
	char text[ENDPOINT_STRLEN];

	int rc = udp_listener_open(loop, at, system, &udp_ops, d, &d->udp[n]);
	if (!rc) {
		rc = tcp_listener_open(loop, at, system, &ops, d, &d->tcp[n]);
		if (rc)
			udp_listener_close(d->udp[n]);
	}
	endpoint_format(at, text);
	if (rc) {
		log_error("cannot listen address=%s error=%s", text, strerror(-rc));
		return rc;
	}
	d->listener_count++;
	log_info("listening address=%s system=%d", text, system);
	return 0;
}

static size_t tunnel_address_count(const struct conf_shared *conf)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->tunnel_count; i++)
		n += conf->tunnels[i].addresses.n;
	return n;
}

static int listen_everywhere(struct dnsd *d)
{
	const struct conf_shared *conf = &d->conf->shared;
	size_t n = tunnel_address_count(conf) + 1;

	d->udp = calloc(n, sizeof(*d->udp));
	d->tcp = calloc(n, sizeof(*d->tcp));
	if (!d->udp || !d->tcp)
		return -ENOMEM;
	int rc = listen_at(d, &d->conf->system, true);
	for (size_t i = 0; i < conf->tunnel_count && !rc; i++) {
		const struct conf_prefixes *addresses = &conf->tunnels[i].addresses;
		for (size_t k = 0; k < addresses->n && !rc; k++) {
			struct endpoint at = { addresses->v[k].addr, (uint16_t)d->conf->port };
			rc = listen_at(d, &at, false);
		}
	}
	return rc;
}

int dnsd_open_forwarder(struct dnsd *d, struct forwarder **out)
{
	struct upstream_spec specs[FORWARD_UPSTREAMS_MAX];
	char why[256];
	size_t n = d->conf->upstreams.n;

	for (size_t i = 0; i < n; i++) {
		/* The configuration's own check has passed them. */
		if (upstream_parse(d->conf->upstreams.v[i], &specs[i], why, sizeof(why)))
			return -EINVAL;
	}
	int rc = forwarder_open(&d->daemon->loop, specs, n, d->conf->upstream_ca, &d->cache, out);
	if (rc)
		log_error("upstreams cannot be used ca=%s error=%s", d->conf->upstream_ca,
			strerror(-rc));
	return rc;
}

static int open_parts(struct dnsd *d)
{
	int rc = canary_init(&d->canary);

	if (!rc)
		rc = cache_init(&d->cache, (size_t)d->conf->cache_mib << 20);
	if (!rc)
		rc = query_pool_init(d);
	if (rc)
		return rc;
	rc = clients_open(&d->clients, &d->daemon->loop, d->daemon->bus);
	if (rc)
		return rc;
	d->clients_open = true;
	rc = uplink_open(&d->uplink, &d->daemon->loop);
	if (rc)
		return rc;
	d->uplink_open = true;
	rc = dnsd_open_forwarder(d, &d->forwarder);
	if (!rc)
		rc = dnsd_features_start(d);
	/* What is known from disk is in force before the first query is read. */
	if (!rc)
		rc = dnsd_bus_start(d);
	return rc ? rc : listen_everywhere(d);
}

static int start(struct daemon *daemon)
{
	struct dnsd *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	daemon->state = d;
	d->daemon = daemon;
	d->conf = daemon->conf;
	list_init(&d->free);
	int rc = open_parts(d);
	if (rc)
		log_error("start failed error=%s", strerror(-rc));
	else if (!policy_is_known(d->policy))
		log_notice("no policy known yet, devices get no answer");
	return rc;
}

static void stop(struct daemon *daemon)
{
	struct dnsd *d = daemon->state;

	if (!d)
		return;
	for (size_t i = 0; i < d->listener_count; i++) {
		udp_listener_close(d->udp[i]);
		tcp_listener_close(d->tcp[i]);
	}
	d->listener_count = 0;
	dnsd_features_stop(d);
	struct forwarder *forwarder = d->forwarder;
	d->forwarder = NULL;
	if (forwarder)
		forwarder_close(forwarder);
	if (d->clients_open)
		clients_close(&d->clients);
	d->clients_open = false;
	dnsd_bus_stop(d);
	if (d->uplink_open)
		uplink_close(&d->uplink);
	d->uplink_open = false;
}

static void fini(struct daemon *daemon)
{
	struct dnsd *d = daemon->state;

	if (!d)
		return;
	canary_fini(&d->canary);
	dnsd_features_fini(d);
	cache_fini(&d->cache);
	query_pool_fini(d);
	free(d->udp);
	free(d->tcp);
	free(d);
	daemon->state = NULL;
}

int main(int argc, char **argv)
{
	const struct daemon_info info = {
		.name = "dnsd",
		.summary = "Answers the devices' DNS queries as the policy says.",
		.id = BUS_DNSD,
		.conf = dnsd_conf_rows,
		.conf_count = dnsd_conf_count,
		.conf_size = sizeof(struct dnsd_conf),
		.caps = 1ULL << CAP_NET_BIND_SERVICE,
		.start = start,
		.reload = dnsd_reload,
		.stop = stop,
		.fini = fini,
	};
	return daemon_main(&info, argc, argv);
}
