/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "wgd/tunnel.h"

/*
 * A tunnel's interface over rtnetlink: found, made, given its name back, chosen a backend for. All
 * return 0 or -errno; what somebody else's interface has is never touched.
 */

/* Before the peers are read: the interface with its MTU and addresses. Sets t->backend once it is
 * settled. -ENOENT: the userspace program has not made it yet; -EMEDIUMTYPE (logged): something
 * else has its name. */
int tunnel_prepare_link(struct tunnel *t);
/* Once the peers are right: up, with its routes. -EAGAIN (logged): fwd has no rules for it yet. */
int tunnel_raise_link(struct tunnel *t);
/* err as people read it. */
const char *tunnel_error_text(int err);
