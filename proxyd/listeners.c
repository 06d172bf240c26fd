/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proxyd/listeners.h"
#include "common/log.h"
#include "proxyd/peek.h"
#include "proxyd/portal.h"
#include "proxyd/session.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct role {
	const char *name;
	size_t port; /* offset of the setting in struct proxyd_conf */
	/* Takes the socket over. */
	void (*accept)(struct proxy *p, int fd, const struct addr *device);
};

static const struct role roles[] = {
	{ "explicit proxy", offsetof(struct proxyd_conf, port), session_accept },
	{ "intercepted HTTP", offsetof(struct proxyd_conf, http_port), session_accept_intercepted },
	{ "intercepted TLS", offsetof(struct proxyd_conf, tls_port), peek_accept },
	{ "portal", offsetof(struct proxyd_conf, portal_http_port), portal_accept_http },
	{ "portal over TLS", offsetof(struct proxyd_conf, portal_https_port), portal_accept_https },
};
#define ROLE_COUNT (sizeof(roles) / sizeof(roles[0]))

struct listening {
	struct proxy *p;
	const struct role *role;
	struct listener *listener;
};

static void on_accept(struct listener *l, int fd, const struct sockaddr *peer, void *data)
{
	const struct listening *on = data;
	struct addr device = addr_from_sockaddr(peer);

	(void)l;
	on->role->accept(on->p, fd, &device);
}

static int listen_at(struct proxy *p, const struct role *role, const struct addr *a, int64_t port)
{
	static const struct listener_options options = { .reuse_port = true, .freebind = true };
	struct listening *on = &p->listening[p->listening_count];
	struct sockaddr_storage ss;
	char text[ADDR_STRLEN];
	int err;

	on->p = p;
	on->role = role;
	addr_to_sockaddr(a, (uint16_t)port, &ss);
	err = listener_open(
		&p->d->loop, (const struct sockaddr *)&ss, &options, on_accept, on, &on->listener);
	if (err) {
		addr_format(a, text);
		log_error("cannot listen role=\"%s\" address=%s port=%lld error=%s", role->name,
			text, (long long)port, strerror(-err));
		return err;
	}
	p->listening_count++;
	return 0;
}

static int listen_as(struct proxy *p, const struct role *role)
{
	const struct conf_shared *c = &p->conf->shared;
	int64_t port;
	int err = 0;

	memcpy(&port, (const char *)p->conf + role->port, sizeof(port));
	for (size_t i = 0; port && i < c->tunnel_count && !err; i++) {
		const struct conf_prefixes *a = &c->tunnels[i].addresses;
		for (size_t k = 0; k < a->n && !err; k++)
			err = listen_at(p, role, &a->v[k].addr, port);
	}
	return err;
}

int listeners_open(struct proxy *p)
{
	const struct conf_shared *c = &p->conf->shared;
	size_t addresses = 0;
	int err = 0;

	for (size_t i = 0; i < c->tunnel_count; i++)
		addresses += c->tunnels[i].addresses.n;
	p->listening = calloc(addresses * ROLE_COUNT + 1, sizeof(*p->listening));
	if (!p->listening)
		return -ENOMEM;
	for (size_t i = 0; i < ROLE_COUNT && !err; i++)
		err = listen_as(p, &roles[i]);
	return err;
}

void listeners_close(struct proxy *p)
{
	for (size_t i = 0; i < p->listening_count; i++)
		listener_close(p->listening[i].listener);
	free(p->listening);
	p->listening = NULL;
	p->listening_count = 0;
}
