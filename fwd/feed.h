/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/hmap.h"
#include "fwd/sets.h"
#include "fwd/timed.h"

/*
 * What dnsd feeds (F6, F10): addresses of listed names with the bits of their lists, addresses that
 * a strict device was given, addresses of renewal hosts. This side knows every element with its
 * end; changes are gathered and go into the kernel with the firewall's next transaction.
 */
enum {
	/* An app goes on using an address after its TTL has ended, as resolvers on devices and
	 * pools of connections do; and a flow is judged again with each policy epoch. */
	FEED_STRICT_S = 3600,
	FEED_RENEWAL_S = 3600,
	FEED_TTL_MIN_S = 60,
	FEED_TTL_MAX_S = 7 * 86400,
	FEED_MAX = 1 << 20, /* elements of each table */
};

enum feed_table {
	FEED_LISTED4,
	FEED_LISTED6,
	FEED_STRICT4,
	FEED_STRICT6,
	FEED_RENEWAL4,
	FEED_RENEWAL6,
	FEED_TABLES
};

/* How far a rewriting of everything has come. */
struct feed_cursor {
	bool more;
	unsigned set; /* of feed_write.c's */
	size_t at, cap;
};

struct feed {
	struct timed tables[FEED_TABLES];
	struct hmap changes; /* not in the kernel yet */
	struct hmap gone;    /* addresses of devices that are no more */
	bool rewrite_due;    /* the kernel may have anything */
	bool empty;	     /* of that: it has nothing */
	bool postponed;	     /* it waits for another transaction than the one that is written */
	struct feed_cursor cursor, next; /* as committed; as of the batch that is being written */
	uint32_t now_s;
};

int feed_init(struct feed *f);
void feed_fini(struct feed *f);
/* Seconds for the calls below, from clock_mono_ms(). */
void feed_set_clock(struct feed *f, uint64_t mono_ms);

/* The address is on these lists too. ttl_s is bounded by the constants above. *is_new (may be NULL)
 * is set when it was not on all of them before. -ENOSPC above FEED_MAX, -ENOMEM. */
int feed_list(struct feed *f, const struct addr *a, uint64_t bits, int64_t ttl_s, bool *is_new);
void feed_unlist(struct feed *f, const struct addr *a, uint64_t bits);
/* No element has any of these bits any more: they become another list's. -ENOMEM. */
int feed_clear_bits(struct feed *f, uint64_t bits);
/* The device may go there; both of one family. */
int feed_allow(struct feed *f, const struct addr *device, const struct addr *to, int64_t ttl_s);
void feed_deny(struct feed *f, const struct addr *device, const struct addr *to);
/* All of the device's destinations go. */
int feed_forget_device(struct feed *f, const struct addr *device);
int feed_renew(struct feed *f, const struct addr *a, int64_t ttl_s);
void feed_unrenew(struct feed *f, const struct addr *a);
/* Bits of the lists that the address is on. */
uint64_t feed_lists_with(const struct feed *f, const struct addr *a);
/* Was the address given to the device? Both of one family. */
bool feed_is_allowed(const struct feed *f, const struct addr *device, const struct addr *to);
/* Frees what expired, a part of it with each call: once a second. */
void feed_sweep(struct feed *f);

/* ---- kernel ---- */
/* Takes what a former run left in the kernel. */
int feed_adopt(struct feed *f, struct nft *n);
bool feed_is_dirty(const struct feed *f);
/* Writes what has changed. What is to be rewritten and is more than a few thousand elements follows
 * with the next calls, a thousand each: feed_is_dirty says so. */
void feed_write(struct feed *f, struct nft_batch *b, bool with_rules);
/* More of a rewriting is to follow. */
bool feed_has_more(const struct feed *f);
void feed_committed(struct feed *f);
