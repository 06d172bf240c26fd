/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/daemon.h"
#include "common/policy/settings.h"
#include "common/resolver.h"
#include "common/tls.h"
#include "syncd/conf.h"
#include "syncd/directus.h"
#include "syncd/directus_appeals.h"
#include "syncd/directus_decisions.h"
#include "syncd/directus_publish.h"
#include "syncd/directus_socket.h"
#include "syncd/list_staging.h"
#include "syncd/lists.h"
#include "syncd/rival.h"
#include "syncd/through.h"
#include "syncd/websites.h"

/* The daemon's state. */
struct syncd {
	struct daemon *daemon;
	const struct syncd_conf *conf;
	struct tls_ctx *tls;
	struct resolver *resolver;
	struct lists lists;
	struct staging staging;
	struct rival rival;
	struct websites websites;
	struct settings settings; /* for policy_source */
	struct directus directus;
	struct directus_publish directus_topics;
	struct directus_socket directus_socket; /* with directus_push */
	struct directus_appeals directus_appeals;
	struct directus_decisions directus_decisions;
	struct through through;
	struct tls_ctx *directus_tls; /* NULL = tls */
	char **directus_names;	      /* the entries of directus_map, cut up */
	bool has_directus;
	bool forgotten[BUS_TOPICS]; /* without Directus: what it had given was removed */
	bool started;
	bool published;	      /* the topics are ours: replaced whole once since start */
	bool has_set;	      /* the bus has a domain set, maybe an earlier run's */
	uint64_t sources_gen; /* of list_sources, not yet reported as applied; 0 = none */
};

/* Publishes what lists give. */
extern const struct lists_ops syncd_lists_ops;
/* 0 or -errno (logged). */
int syncd_make_tls(const char *ca_file, struct tls_ctx **out);
void syncd_send_alarm(struct syncd *s, const char *what, const char *detail);
/* Subscribes and serves. 0 or -errno (logged). */
int syncd_bus_start(struct syncd *s);
