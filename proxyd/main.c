/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"
#include "proxyd/appeals.h"
#include "proxyd/bus.h"
#include "proxyd/carriers.h"
#include "proxyd/exchange.h"
#include "proxyd/explain.h"
#include "proxyd/filtering.h"
#include "proxyd/ignored.h"
#include "proxyd/listeners.h"
#include "proxyd/path_main.h"
#include "proxyd/peek.h"
#include "proxyd/pool.h"
#include "proxyd/portal.h"
#include "proxyd/session.h"
#include "proxyd/sni_log.h"
#include "proxyd/tunnel.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAVES_MAX	  4096
#define NAMES_MAX	  4096
#define UPSTREAM_SESSIONS 1024
#define UPSTREAM_CHAINS	  4096

static void ca_path(const struct proxyd_conf *conf, char out[static 4096])
{
	if (*conf->ca_dir)
		snprintf(out, 4096, "%s", conf->ca_dir);
	else
		snprintf(out, 4096, "%s/ca", conf->shared.state_dir);
}

static int open_ca(struct proxy *p)
{
	static const char *const alpn[] = { "h2", "http/1.1", NULL };
	struct tls_config cfg = {
		.is_server = true,
		.select_cert = session_select_cert,
		.select_data = p,
		.alpn = alpn,
	};
	struct cert_ca *intermediate = NULL;
	char dir[4096];
	int err;

	ca_path(p->conf, dir);
	err = ca_open(dir, &p->root, &intermediate);
	if (err == -ENOENT || err == -EINVAL)
		log_error("no CA in %s: run proxyd -c %s --init-ca", dir, p->d->conf_file);
	if (!err)
		err = cert_minter_new(intermediate, LEAVES_MAX, &p->minter);
	if (!err)
		err = tls_ctx_new(&cfg, &p->mitm_tls);
	p->sign.conf = &p->conf->shared;
	ca_path(p->conf, p->sign.ca_dir);
	return err ? err : sign_serve(&p->sign, p->d->bus);
}

static int open_upstream(struct proxy *p)
{
	static const char *const alpn[] = { "h2", "http/1.1", NULL };
	static const char *const http1[] = { "http/1.1", NULL };
	struct tls_config cfg = {
		.ca_file = p->conf->upstream_ca,
		.session_cache = UPSTREAM_SESSIONS,
		.chain_cache = UPSTREAM_CHAINS,
		.alpn = alpn,
	};
	int err = tls_ctx_new(&cfg, &p->upstream_tls);

	cfg.alpn = http1;
	if (!err)
		err = tls_ctx_new(&cfg, &p->upstream_http1_tls);
	if (err) {
		log_error("cannot read upstream_ca file=%s error=%s", p->conf->upstream_ca,
			strerror(-err));
		return err;
	}
	p->resolver = resolver_open(&p->d->loop, &p->conf->resolver);
	if (p->resolver)
		p->names = names_open(&p->d->loop, p->resolver, NAMES_MAX);
	p->pool = pool_open(p, (size_t)p->conf->pool_max);
	if (!p->names || !p->pool)
		return -ENOMEM;
	p->ignored = p->conf->mitm_ignore_resolve ? ignored_open(p) : NULL;
	return p->ignored || !p->conf->mitm_ignore_resolve ? 0 : -ENOMEM;
}

static int on_start(struct daemon *d)
{
	struct proxy *p = calloc(1, sizeof(*p));
	struct endpoint redis;
	int err;

	if (!p)
		return -ENOMEM;
	d->state = p;
	p->d = d;
	p->conf = d->conf;
	guard_init(&p->guard);
	p->guard.conf = &p->conf->shared;
	p->guard.never = &p->conf->never;
	hmap_init(&p->loads, NULL);
	list_init(&p->sessions);
	list_init(&p->visitors);
	list_init(&p->tunnels);
	list_init(&p->dials);
	list_init(&p->exchanges);
	list_init(&p->peeks);
	list_init(&p->carriers);
	hmap_init(&p->berths, NULL);
	scouts_init(p);
	flows_init(&p->flows, &d->loop);
	p->sni_log = sni_log_new(&p->conf->sni_log_ips, (uint32_t)p->conf->sni_log_ttl_s);
	if (!strncmp(p->conf->shared.redis, "tcp:", 4) &&
		!endpoint_parse(p->conf->shared.redis + 4, &redis))
		p->guard.bus = redis.addr;
	err = canary_init(&p->canary);
	if (!err)
		err = p->sni_log ? open_ca(p) : -ENOMEM;
	if (!err)
		err = portal_open(p);
	if (!err)
		err = pages_open(
			&p->pages, p->conf->texts_dir, p->conf->brand_dir, p->conf->language);
	if (!err)
		err = open_upstream(p);
	if (!err)
		err = splicer_open(&p->splicer, &d->loop, (uint32_t)p->conf->tunnel_idle_s * 1000);
	if (!err)
		err = proxy_bus_open(p);
	if (!err)
		err = explain_serve(p);
	if (!err)
		err = listeners_open(p);
	return err;
}

/* Texts and brand may have changed in their files alone. */
static void renew_pages(struct proxy *p)
{
	struct pages fresh = { 0 };

	if (pages_open(&fresh, p->conf->texts_dir, p->conf->brand_dir, p->conf->language)) {
		log_error("the former texts of the pages stay");
		pages_fini(&fresh);
		return;
	}
	pages_fini(&p->pages);
	p->pages = fresh;
}

static void on_reload(struct daemon *d, void *next)
{
	static const char *const live[] = { "portal_host", "appeal_path", "appeals_per_hour",
		"language", "texts_dir", "brand_dir", "connect_ports", "http_ports",
		"http_high_ports", "image_parse_limit", "connect_s", "answer_s", "idle_s",
		"access_log", "pinned_after", "pinned_s", NULL };

	conf_reload(proxyd_conf_rows, proxyd_conf_count, d->conf, next, live);
	accesses_reload(d->state);
	renew_pages(d->state);
}

static void on_stop(struct daemon *d)
{
	struct proxy *p = d->state;

	if (!p)
		return;
	p->stopping = true;
	listeners_close(p);
	exchange_close_all(p);
	carriers_close(p);
	list_foreach_safe (&p->sessions, it)
		session_close(container_of(it, struct session, node));
	portal_close(p);
	tunnel_close_all(p);
	if (p->pool)
		pool_close(p->pool);
	peek_close_all(p);
	splicer_close(&p->splicer);
	flows_close(&p->flows);
	scouts_close(p);
	if (p->ignored)
		ignored_close(p->ignored);
	p->ignored = NULL;
	if (p->names)
		names_close(p->names);
	if (p->resolver)
		resolver_close(p->resolver);
	proxy_bus_close(p);
}

static void on_fini(struct daemon *d)
{
	struct proxy *p = d->state;

	if (!p)
		return;
	tls_ctx_free(p->mitm_tls);
	portal_fini(p);
	pages_fini(&p->pages);
	appeals_free(p->appeals);
	tls_ctx_free(p->upstream_tls);
	tls_ctx_free(p->upstream_http1_tls);
	hmap_fini(&p->berths);
	scouts_fini(p);
	if (p->minter)
		cert_minter_free(p->minter);
	cert_ca_free(p->root);
	sni_log_free(p->sni_log);
	canary_fini(&p->canary);
	guard_fini(&p->guard);
	filtering_free(p->filtering);
	accesses_fini(p);
	pins_fini(p);
	hmap_fini(&p->loads);
	free(p);
}

static int on_init_ca(struct daemon *d, const char *arg)
{
	char dir[4096];
	int err;

	(void)arg;
	ca_path(d->conf, dir);
	err = ca_init(dir);
	if (err)
		log_error("cannot make the CA directory=%s error=%s", dir, strerror(-err));
	else
		printf("%s/root.pem\n", dir);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct daemon_command commands[] = {
		{ "init-ca", "make the root and intermediate certificates that are missing",
			on_init_ca },
		{ 0 },
	};
	const struct daemon_info info = {
		.name = "proxyd",
		.summary = "Filtering proxy of Culvert: decrypts, judges and answers with block "
			   "pages.",
		.id = BUS_PROXYD,
		.conf = proxyd_conf_rows,
		.conf_count = proxyd_conf_count,
		.conf_size = sizeof(struct proxyd_conf),
		.caps = 1ULL << CAP_NET_BIND_SERVICE,
		.commands = commands,
		.start = on_start,
		.reload = on_reload,
		.stop = on_stop,
		.fini = on_fini,
	};

	/* Another daemon, with other rights, that judges the same things. */
	if (argc > 1 && !strcmp(argv[1], "--path")) {
		argv[1] = argv[0];
		return path_main(argc - 1, argv + 1);
	}
	return daemon_main(&info, argc, argv);
}
