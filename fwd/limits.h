/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "common/list.h"
#include "fwd/sets.h"

/*
 * Named limits of devices with a rate (W7). The kernel cannot change one: its name tells the rate,
 * another rate is another limit. Each is there as long as an element names it.
 */
struct limits {
	struct hmap by_name; /* struct limit */
	struct list dirty;
};

void limits_init(struct limits *l);
void limits_fini(struct limits *l);
/* An element that names it comes, goes. -ENOMEM. */
int limits_take(struct limits *l, const struct limit_value *v);
void limits_drop(struct limits *l, const struct limit_value *v);
bool limits_are_dirty(const struct limits *l);

/* The kernel has none (any more); limits_load reads which it has. */
void limits_forget(struct limits *l);
int limits_load(struct limits *l, struct nft *n);
/* New ones: before the elements that name them. Old ones: after those have gone. */
void limits_write_new(struct limits *l, struct nft_batch *b);
void limits_write_old(struct limits *l, struct nft_batch *b);
void limits_committed(struct limits *l);
