/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "fwd/conntrack.h"
#include "fwd/elements.h"
#include "fwd/feed.h"
#include "fwd/foreign.h"
#include "fwd/limits.h"
#include "fwd/masks.h"
#include "fwd/profile.h"
#include "fwd/ruleset.h"

/*
 * The wanted state of the table and the way it gets into the kernel: callers change what is wanted
 * and call firewall_apply, which writes the difference: in one transaction but for what a packet on
 * its way may meet too early, new chains of lists before it and a new epoch behind it.
 */
struct firewall {
	struct nft nft;
	struct elements elements;
	struct profiles profiles;
	struct masks masks;
	struct feed feed;
	struct limits limits;
	struct ruleset_options options;
	uint32_t epoch;		/* policy epoch (marks.h) in the kernel; 0 = not read yet */
	struct foreign foreign; /* as of the last reading */
	bool rules_due;		/* every rule is to be written */
	bool load_due;		/* what the kernel has is to be read first */
	bool anew_due;		/* the table has another shape and is to be made anew */
	bool adopted;		/* the kernel's devices are a former run's */
	bool tighten_due;	/* something was allowed that is not any more */
	/* The kernel did not take the rules of this profile: it is as if nobody had defined it, so
	 * that the rest gets into force. May be NULL. */
	void (*on_profile_refused)(void *arg, const char *name, const char *fault);
	void *arg;
	/* Whose rights were changed by what was applied so far; the caller empties it. */
	struct conntrack_targets lost;
	uint64_t rewrites, updates, conflicts; /* transactions: with all rules, with elements only;
						  stale ones */
};

int firewall_init(struct firewall *f);
void firewall_fini(struct firewall *f);

/* What the configuration says: interfaces, the gateway's addresses, options. */
int firewall_set_conf(
	struct firewall *f, const struct conf_shared *conf, const struct ruleset_options *options);
/* Mark of the device with this address behind the interface; a device with another mark or none
 * before. A changed mark tightens. */
int firewall_set_device(
	struct firewall *f, const char *interface, const struct addr *a, uint32_t mark);
/* Its limits and its strict destinations go too. */
void firewall_remove_device(struct firewall *f, const char *interface, const struct addr *a);
/* The address is another device's from now on: it inherits no strict destinations, and what the
 * former one has open is cut. */
void firewall_hand_over(struct firewall *f, const struct addr *a);
/* The address shares the limits of the device with that first address; kbit 0: none. */
int firewall_set_rate(struct firewall *f, const char *interface, const struct addr *a,
	const struct addr *first, uint32_t kbit);
/* No device has any entry any more, as far as what is wanted goes; what dnsd fed stays. */
void firewall_forget_devices(struct firewall *f);
size_t firewall_device_count(const struct firewall *f);
/* Prefixes of the LAN (F2). */
int firewall_set_lan(struct firewall *f, const struct prefix *v, size_t n);
/* Ports of the egress guard (settings.h). */
int firewall_set_egress(
	struct firewall *f, const struct rec_strs *denied, const struct rec_strs *web);
/* Combinations in f->masks came or have other ids. */
int firewall_masks_changed(struct firewall *f);
/* A profile was set in or removed from f->profiles: all rules are written, all flows judged again.
 */
int firewall_profiles_changed(struct firewall *f);
/* Devices and what dnsd fed are not known: the maps keep what the kernel has from before, until
 * they are. */
int firewall_adopt_devices(struct firewall *f);

/* The kernel may have anything: read it and write all rules with the next apply. What dnsd fed is
 * not read, it may be a million. */
void firewall_distrust(struct firewall *f);
/* Nor is what dnsd fed as it was: all of it is written again, in parts (feed_write). */
void firewall_distrust_fed(struct firewall *f);
/* Parts of it are still to be written: apply again. */
bool firewall_has_more(const struct firewall *f);
/*
 * Makes the kernel have what is wanted. 0 also when there was nothing to do; on failure what is
 * wanted stays wanted, f->nft.fault says what was refused, and the transaction that failed has
 * changed nothing.
 */
int firewall_apply(struct firewall *f);
