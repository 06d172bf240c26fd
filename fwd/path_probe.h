/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/nft.h"
#include "fwd/ruleset.h"

/* What this kernel has of what in-path judging needs (rules_path.c): tries it with rules in a table
 * of another name, that the same transaction takes away. */
enum path_queue_kind path_probe_queue(struct nft *n);
/* Does a process read the queue? n is opened for NETLINK_NETFILTER. 0: yes; -ENODEV: no; else what
 * the kernel says: it has no queues, or one may not ask. */
int path_probe_reader(struct nl *n, uint16_t queue);
