/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/daemon.h"
#include "common/policy/settings.h"
#include "common/resolver.h"
#include "common/tls.h"
#include "syncd/conf.h"
#include "syncd/list_staging.h"
#include "syncd/lists.h"
#include "syncd/websites.h"

/* The daemon's state. */
struct syncd {
	struct daemon *daemon;
	const struct syncd_conf *conf;
	struct tls_ctx *tls;
	struct resolver *resolver;
	struct lists lists;
	struct staging staging;
	struct websites websites;
	struct settings settings; /* for policy_source */
	bool started;
	bool published;	      /* the topics are ours: replaced whole once since start */
	bool has_set;	      /* the bus has a domain set, maybe an earlier run's */
	uint64_t sources_gen; /* of list_sources, not yet reported as applied; 0 = none */
};

/* Publishes what lists give. */
extern const struct lists_ops syncd_lists_ops;
/* Subscribes and serves. 0 or -errno (logged). */
int syncd_bus_start(struct syncd *s);
