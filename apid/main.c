/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "apid/conf.h"
#include "apid/device_request.h"
#include "apid/provision.h"
#include "common/daemon.h"
#include "common/log.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

struct apid {
	struct publisher *publisher;
	struct store *store;
	struct provision *provision;
	struct device_request device_request;
};

/* 0 with *out NULL when none is configured. */
static int read_seed(
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
static const char *api_key(const struct apid_conf *conf)
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
	cJSON_AddBoolToObject(status, "published", publisher_is_loaded(a->publisher));
}

static struct store *open_store(struct daemon *d, struct apid *a, struct seed *seed)
{
	const struct apid_conf *conf = d->conf;
	struct store_options options = {
		.db = { .socket = conf->db_socket,
			.name = conf->db_name,
			.user = conf->db_user,
			.password = conf->db_password.value },
		.api_key = api_key(conf),
		.actor = "apid",
		.on_bad_seed = on_bad_seed,
		.arg = d,
	};

	return store_open(&d->loop, a->publisher, &options, seed);
}

static int start(struct daemon *d)
{
	const struct apid_conf *conf = d->conf;
	struct provision_options options = {
		.at = conf->provision,
		.tunnels = d->shared->tunnels,
		.tunnel_count = d->shared->tunnel_count,
	};
	struct apid *a = d->state = calloc(1, sizeof(*a));
	struct seed *seed;
	int r;

	if (!a)
		return -ENOMEM;
	r = read_seed(conf, d->shared, &seed);
	if (r)
		return r;
	a->publisher = publisher_open(&d->loop, d->bus);
	a->store = a->publisher ? open_store(d, a, seed) : NULL;
	if (!a->publisher)
		seed_free(seed);
	if (!a->store)
		return -ENOMEM;
	bus_set_status_source(d->bus, fill_status, a);
	a->device_request = (struct device_request){ .tunnels = d->shared->tunnels,
		.tunnel_count = d->shared->tunnel_count,
		.store = a->store,
		.publisher = a->publisher };
	r = device_request_serve(&a->device_request, d->bus);
	if (r)
		return r;
	options.store = a->store;
	options.publisher = a->publisher;
	return provision_open(&d->loop, &options, &a->provision);
}

static void reload(struct daemon *d, void *next)
{
	struct apid *a = d->state;
	struct seed *seed;

	store_set_api_key(a->store, api_key(next));
	/* The tunnels are those in force, not those of the new file. */
	if (!read_seed(next, d->shared, &seed) && seed)
		store_seed(a->store, seed);
}

static void stop(struct daemon *d)
{
	struct apid *a = d->state;

	if (!a)
		return;
	if (a->provision)
		provision_close(a->provision);
	if (a->publisher)
		publisher_close(a->publisher);
	if (a->store)
		store_close(a->store);
}

static void fini(struct daemon *d)
{
	struct apid *a = d->state;

	if (!a)
		return;
	if (a->provision)
		provision_free(a->provision);
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
