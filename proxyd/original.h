/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "proxyd/conf.h"

/*
 * Where a device meant to connect to before its connection was redirected here: by NAT
 * (SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST) or, where the socket has an address that is none of the
 * tunnels', by TPROXY. -EPERM: it was redirected by nobody, the device came to this port itself.
 */
int original_find(
	int fd, const struct addr *device, const struct proxyd_conf *conf, struct endpoint *out);
/* The decision alone. redirected: what the kernel's NAT says, NULL = nothing; local: the socket's
 * own address. Pure. */
int original_choose(const struct endpoint *redirected, const struct endpoint *local,
	const struct proxyd_conf *conf, struct endpoint *out);
