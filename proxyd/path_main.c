/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/path_main.h"
#include "common/log.h"
#include "proxyd/path_reader.h"
#include "proxyd/sni_log.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS	    250
#define CURRENT_MS  2000
#define NAMES_MAX   16384
#define PACKETS_MAX 8192 /* in the queue; what comes then is dropped */

static void on_packet(void *arg, const struct path_queued *q)
{
	path_judge(arg, q);
}

/* Without a policy everything would be refused: until there is one fwd has proxyd do it. */
static void begin_reading(struct path_reader *r)
{
	static const struct path_queue_ops ops = { on_packet };
	struct proxy *p = &r->p;
	int err;

	if (!directory_is_known(p->dir) || !policy_is_known(p->policy))
		return;
	/* Redis may know better than the disk; it may also be away. */
	if (!path_policy_is_current(r) && uv_now(&p->d->loop) - r->began_ms < CURRENT_MS)
		return;
	r->queue = path_queue_open(
		&p->d->loop, (uint16_t)p->conf->path_queue, PACKETS_MAX, &ops, r, &err);
	if (r->queue) {
		path_tidy_begin(r);
		log_notice("reading queue=%d", (int)p->conf->path_queue);
		return;
	}
	log_error("queue not opened queue=%d error=%s", (int)p->conf->path_queue, strerror(-err));
	daemon_stop(p->d, 1);
}

static void on_tick(struct timer *t)
{
	struct path_reader *r = t->data;

	if (!r->queue)
		begin_reading(r);
	if (!r->queue)
		return;
	path_tidy(r);
	path_queue_flush(r->queue);
}

static int open_names(struct proxy *p)
{
	p->resolver = resolver_open(&p->d->loop, &p->conf->resolver);
	if (p->resolver)
		p->names = names_open(&p->d->loop, p->resolver, NAMES_MAX);
	return p->names ? 0 : -ENOMEM;
}

static int on_start(struct daemon *d)
{
	struct path_reader *r = calloc(1, sizeof(*r));
	struct proxy *p = &r->p;
	int err;

	if (!r)
		return -ENOMEM;
	d->state = r;
	p->d = d;
	p->conf = d->conf;
	r->began_ms = uv_now(&d->loop);
	guard_init(&p->guard);
	flows_init(&p->flows, &d->loop);
	path_tidy_init(r);
	path_judged_init(&r->judged, &d->loop, p->conf->shared.state_dir);
	err = timer_init(&d->loop, &r->tick, on_tick, r);
	if (!err)
		err = path_flows_init(&r->flows, (size_t)p->conf->path_flows);
	if (!err)
		err = path_live_open(&r->live, &d->loop);
	if (!err)
		err = canary_init(&p->canary);
	p->sni_log = sni_log_new(&p->conf->sni_log_ips, (uint32_t)p->conf->sni_log_ttl_s);
	if (!err && !p->sni_log)
		err = -ENOMEM;
	if (!err)
		err = open_names(p);
	if (!err)
		err = path_bus_open(r);
	if (!err)
		timer_start(&r->tick, 1, TICK_MS);
	return err;
}

static void on_each_forgotten(void *arg, struct path_flow *f)
{
	path_forget(arg, f);
}

static void on_stop(struct daemon *d)
{
	struct path_reader *r = d->state;

	if (!r)
		return;
	r->p.stopping = true;
	path_flows_each(&r->flows, on_each_forgotten, r);
	if (r->queue)
		path_queue_close(r->queue);
	timer_close(&r->tick, NULL);
	path_live_close(&r->live);
	flows_close(&r->p.flows);
	if (r->p.names)
		names_close(r->p.names);
	if (r->p.resolver)
		resolver_close(r->p.resolver);
	path_bus_close(r);
}

static void on_fini(struct daemon *d)
{
	struct path_reader *r = d->state;

	if (!r)
		return;
	path_flows_fini(&r->flows);
	path_sweep_fini(&r->sweep);
	canary_fini(&r->p.canary);
	sni_log_free(r->p.sni_log);
	accesses_fini(&r->p);
	guard_fini(&r->p.guard);
	free(r);
}

int path_main(int argc, char **argv)
{
	const struct daemon_info info = {
		.name = "path",
		.summary =
			"Judges TLS and QUIC hellos in the path of their packets (proxyd --path).",
		.id = BUS_PROXYD,
		.role = "path",
		.conf = path_conf_rows,
		.conf_count = path_conf_count,
		.conf_size = sizeof(struct proxyd_conf),
		.caps = 1ULL << CAP_NET_ADMIN,
		.start = on_start,
		.stop = on_stop,
		.fini = on_fini,
	};

	return daemon_main(&info, argc, argv);
}
