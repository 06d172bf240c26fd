/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/daemon.h"
#include "common/hmap.h"
#include "common/list.h"
#include "common/policy/canary.h"
#include "common/policy/policy.h"
#include "common/resolver.h"
#include "common/stream.h"
#include "proxyd/access.h"
#include "proxyd/ca.h"
#include "proxyd/conf.h"
#include "proxyd/flow.h"
#include "proxyd/guard.h"
#include "proxyd/names.h"
#include "proxyd/page.h"
#include "proxyd/pins.h"
#include "proxyd/scouts.h"
#include "proxyd/sign.h"
#include "proxyd/splice.h"

struct appeals;
struct listening;
struct sni_log;
struct filtering;
struct ignored;

/* Everything proxyd has; hangs off struct daemon. */
struct proxy {
	struct daemon *d;
	const struct proxyd_conf *conf;
	struct directory *dir;
	struct policy *policy;
	struct canary canary;
	struct resolver *resolver;
	struct names *names;	 /* what it has answered */
	struct ignored *ignored; /* ignored.h; NULL without mitm_ignore_resolve */
	struct guard guard;
	struct pages pages;
	struct appeals *appeals;
	struct cert_ca *root;
	struct cert_minter *minter;
	struct sign sign;
	struct tls_ctx *mitm_tls;	    /* towards clients */
	struct tls_ctx *portal_tls;	    /* towards clients of the portal */
	struct tls_ctx *upstream_tls;	    /* towards web servers */
	struct tls_ctx *upstream_http1_tls; /* without HTTP/2 */
	struct listening *listening;	    /* listeners.c */
	size_t listening_count;
	struct pool *pool;  /* idle connections to them */
	struct hmap berths; /* carriers.c: device and place → struct berth */
	struct list carriers;
	size_t carriers_count;
	struct scouts scouts;
	struct filtering *filtering;
	struct hmap loads;     /* struct addr → struct load */
	size_t connections;    /* of devices, open: those that loads count */
	struct list sessions;  /* struct session */
	struct list visitors;  /* struct visitor of portal.c */
	struct list tunnels;   /* struct tunnel */
	struct list dials;     /* struct dial */
	struct list exchanges; /* struct exchange */
	struct list peeks;     /* struct peek */
	struct splicer splicer;
	struct flows flows;
	struct sni_log *sni_log;
	struct accesses accesses;
	struct pins pins;
	bool stopping;
	/* since the start */
	uint64_t accepted, refused_clients, requests, allowed, blocked, failed;
	uint64_t appeals_stored;
	uint64_t reused; /* requests over a connection that was kept */
};

/* The device behind an address; NULL = unknown or no policy yet. */
struct device_view *proxy_device(struct proxy *p, const struct addr *a);
