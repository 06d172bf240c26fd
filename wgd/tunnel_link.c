/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wgd/tunnel_link.h"

#include "common/log.h"
#include "wgd/link.h"
#include "wgd/rules.h"
#include <errno.h>
#include <string.h>

static int open_backend(struct tunnel *t, const struct backend_ops *ops)
{
	t->backend = ops->open(t->loop, t->conf->interface, t->uapi_dir, t);
	if (!t->backend)
		return -ENOMEM;
	t->backend_ops = ops;
	return 0;
}

static int refuse_kind(const struct tunnel *t, const struct link *link)
{
	if (t->last_error != -EMEDIUMTYPE)
		log_error("an interface of that name is no WireGuard, it is left alone "
			  "interface=%s kind=%s",
			t->conf->interface, *link->kind ? link->kind : "unknown");
	return -EMEDIUMTYPE;
}

/* Auto: whoever has made the interface, or the kernel if it can. */
static int choose_by_link(struct tunnel *t, struct link *link)
{
	int err = link->index ? 0 : link_create_wireguard(t->route, t->conf->interface);
	if (err == -EOPNOTSUPP)
		return open_backend(t, &backend_uapi);
	/* Between finding none and making one a userspace program may have made its own. */
	if (!link->index && (!err || err == -EEXIST))
		err = link_find(t->route, t->conf->interface, link);
	if (err || !link->index)
		return err ? err : -ENOENT;
	if (!strcmp(link->kind, "wireguard"))
		return open_backend(t, &backend_kernel);
	if (!strcmp(link->kind, "tun"))
		return open_backend(t, &backend_uapi);
	return refuse_kind(t, link);
}

static int choose_backend(struct tunnel *t, struct link *link)
{
	if (t->backend)
		return 0;
	if (t->choice == WGD_BACKEND_KERNEL)
		return open_backend(t, &backend_kernel);
	if (t->choice == WGD_BACKEND_UAPI)
		return open_backend(t, &backend_uapi);
	return choose_by_link(t, link);
}

static const char *kind_of(const struct tunnel *t)
{
	return t->backend_ops->creates_link ? "wireguard" : "tun";
}

/* Somebody gave our interface another name: it still holds the port, so that a new one would not
 * work beside it. */
static int take_name_back(struct tunnel *t, struct link *link)
{
	struct link was;
	const char *name = t->conf->interface;
	if (link->index || !t->index || !t->backend)
		return 0;
	int err = link_find_index(t->route, t->index, &was);
	if (err || !was.index || strcmp(was.kind, kind_of(t)) != 0)
		return err;
	err = link_rename(t->route, &was, name);
	log_notice("interface was renamed, its name is given back interface=%s from=%s error=%s",
		name, was.name, err ? strerror(-err) : "none");
	return err ? err : link_find(t->route, name, link);
}

static int find_or_make_link(struct tunnel *t, struct link *link)
{
	const char *name = t->conf->interface;
	int err = link_find(t->route, name, link);
	if (!err)
		err = take_name_back(t, link);
	if (!err)
		err = choose_backend(t, link);
	if (err)
		return err;
	if (!link->index && t->backend_ops->creates_link)
		err = link_create_wireguard(t->route, name);
	if ((!err || err == -EEXIST) && !link->index)
		err = link_find(t->route, name, link);
	if (err)
		return err;
	if (!link->index)
		return -ENOENT;
	return !strcmp(link->kind, kind_of(t)) ? 0 : refuse_kind(t, link);
}

int tunnel_prepare_link(struct tunnel *t)
{
	struct link link;
	bool without_ipv6 = false;
	int err = find_or_make_link(t, &link);
	t->index = link.index;
	if (!err)
		err = link_set_mtu(t->route, &link, t->conf->mtu);
	if (!err)
		err = link_set_addresses(t->route, link.index, &t->conf->addresses, &without_ipv6);
	if (!err && without_ipv6 != t->without_ipv6) {
		t->without_ipv6 = without_ipv6;
		log_notice("%s name=%s interface=%s",
			without_ipv6 ? "no IPv6 on this machine, the tunnel goes without"
				     : "IPv6 is there",
			t->conf->name, t->conf->interface);
	}
	return err;
}

static int check_rules(struct tunnel *t)
{
	int err = t->rules ? rules_find_tunnel(t->rules, t->conf->interface) : 0;
	if (err && t->last_error != -EAGAIN)
		log_notice("interface stays down until fwd has rules for it interface=%s error=%s",
			t->conf->interface, strerror(-err));
	return err ? -EAGAIN : 0;
}

int tunnel_raise_link(struct tunnel *t)
{
	struct link link;
	int err = link_find(t->route, t->conf->interface, &link);
	if (!err && !link.index)
		err = -ENOENT;
	if (!err && !link.up)
		err = check_rules(t);
	if (!err)
		err = link_set_up(t->route, &link);
	if (!err)
		err = link_add_routes(t->route, link.index, &t->conf->addresses);
	return err;
}

const char *tunnel_error_text(int err)
{
	switch (err) {
	case 0:
		return "none";
	case -ENOENT:
	case -ECONNREFUSED:
		return "no interface or no socket of a userspace WireGuard yet";
	case -ETIMEDOUT:
		return "WireGuard does not answer";
	case -EPIPE:
	case -EBADMSG:
		return "WireGuard's answer is no answer";
	case -EMEDIUMTYPE:
		return "something else has the interface's name";
	case -EADDRINUSE:
		return "another program has the port";
	case -EAGAIN:
		return "fwd has no rules for it yet";
	}
	return strerror(-err);
}
