/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/apid.h"
#include "apid/db_host.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int apid_check_db_hosts(const struct apid_conf *conf)
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

int apid_read_seed(
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

const char *apid_api_key(const struct apid_conf *conf)
{
	const char *env = getenv("API_KEY");

	return env && env[0] ? env : conf->api_key.value;
}

static void on_bad_seed(void *arg)
{
	daemon_stop(arg, 1);
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

struct store *apid_open_store(struct daemon *d, struct apid *a, struct seed *seed)
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
