/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/hmap.h"

/*
 * Deletes entries of the kernel's connection table over ctnetlink (F9). What an entry's first
 * packet had as addresses counts, before any NAT.
 */
struct conntrack_targets {
	struct hmap sources;	  /* devices whose flows go */
	struct hmap destinations; /* where devices' flows may go no more */
};

void conntrack_targets_init(struct conntrack_targets *t);
void conntrack_targets_fini(struct conntrack_targets *t);
bool conntrack_targets_are_empty(const struct conntrack_targets *t);
/* -ENOMEM. */
int conntrack_add_source(struct conntrack_targets *t, const struct addr *a);
int conntrack_add_destination(struct conntrack_targets *t, const struct addr *a);
/* Moves all of from into to; what there is no memory for is left out (-ENOMEM). */
int conntrack_targets_move(struct conntrack_targets *to, struct conntrack_targets *from);

struct conntrack_result {
	size_t seen;	/* entries that the kernel showed */
	size_t deleted; /* entries that are gone */
};

/*
 * Deletes the targets' entries, but those whose mark under the mask is epoch: they were approved
 * under the present rules. By destination only those go that ever were approved (mark not 0) and
 * not redirected to this host: such are proxyd's, which judges by name. Few IPv4 targets are asked
 * of the kernel one by one (CTA_FILTER; older kernels ignore it), others by a dump of the family.
 * Blocks for about 1 µs an entry of the table and opens sockets of its own: for a worker thread.
 */
int conntrack_delete(const struct conntrack_targets *t, uint32_t mask, uint32_t epoch,
	struct conntrack_result *result);
