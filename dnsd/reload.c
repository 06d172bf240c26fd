/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/dnsd.h"

#include "common/log.h"
#include <errno.h>
#include <string.h>

static bool strings_equal(const struct conf_strings *a, const struct conf_strings *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	}
	return true;
}

/* Questions under way go over to the new one. */
static void change_upstreams(struct dnsd *d)
{
	struct forwarder *fresh, *old = d->forwarder;
	int rc = dnsd_open_forwarder(d, &fresh);

	if (rc) {
		log_error("the former upstreams stay error=%s", strerror(-rc));
		return;
	}
	d->forwarder = d->listed.forwarder = fresh;
	forwarder_close(old);
	log_notice("upstreams changed count=%zu", d->conf->upstreams.n);
}

/* It begins empty. */
static void change_cache(struct dnsd *d)
{
	struct cache fresh;
	int rc = cache_init(&fresh, (size_t)d->conf->cache_mib << 20);

	if (rc) {
		log_error("the former cache stays error=%s", strerror(-rc));
		return;
	}
	cache_fini(&d->cache);
	d->cache = fresh;
}

void dnsd_reload(struct daemon *daemon, void *next)
{
	static const char *const live[] = { "upstreams", "upstream_ca", "cache_mib", "ipv6",
		"block_mode", "block_addresses", "portal_host", NULL };
	struct dnsd *d = daemon->state;
	struct dnsd_conf *conf = daemon->conf, *fresh = next;
	bool same_upstreams = strings_equal(&conf->upstreams, &fresh->upstreams) &&
			      !strcmp(conf->upstream_ca, fresh->upstream_ca);
	bool same_cache = conf->cache_mib == fresh->cache_mib;

	conf_reload(dnsd_conf_rows, dnsd_conf_count, conf, fresh, live);
	if (!same_cache)
		change_cache(d);
	if (!same_upstreams)
		change_upstreams(d);
	dnsd_features_renew(d);
}
