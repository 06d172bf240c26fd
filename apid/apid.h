/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/admin_tls.h"
#include "apid/appeals.h"
#include "apid/conf.h"
#include "apid/device_doc.h"
#include "apid/device_listeners.h"
#include "apid/device_request.h"
#include "apid/followed.h"
#include "apid/live.h"
#include "apid/notify.h"
#include "apid/peers.h"
#include "apid/provision.h"
#include "apid/purge.h"
#include "apid/setup.h"
#include "apid/statistics.h"
#include "apid/tunnels.h"
#include "common/daemon.h"
#include "common/timer.h"

/* The daemon: what its parts are, and how they are put together. */
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

/* apid_store.c: what is kept, and whoever is told that it changed. */
/* Between machines the database's protocol is in the clear, as the bus is: all of them must be
 * inside. 0 or -errno, logged. */
int apid_check_db_hosts(const struct apid_conf *conf);
/* 0 with *out NULL when none is configured; else the caller's. -errno, logged. */
int apid_read_seed(
	const struct apid_conf *conf, const struct conf_shared *shared, struct seed **out);
/* K's name of the key; only from the environment (SPEC C1). NULL: none. */
const char *apid_api_key(const struct apid_conf *conf);
/* Takes over seed, which may be NULL. NULL without memory. */
struct store *apid_open_store(struct daemon *d, struct apid *a, struct seed *seed);

/* apid_live.c: what goes on, as the bus tells it, and those who look at it. 0 or -errno. */
int apid_open_live(struct daemon *d, struct apid *a);

/* apid_api.c: the API, and where it is served. 0 or -errno. */
int apid_open_api(struct daemon *d, struct apid *a);
/* For administrators, unless no port is configured. */
int apid_open_admin(struct daemon *d, struct apid *a);
/* For devices, in their tunnels. */
int apid_open_devices(struct daemon *d, struct apid *a);
/* What devices reach is what administrators type. */
void apid_name_endpoint(struct apid *a);
/* The configured names are those of next; where it listens stays. */
void apid_name_admin(struct apid *a, const struct apid_conf *have, const struct apid_conf *next);
