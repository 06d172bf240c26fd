/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/daemon.h"
#include "common/policy/directory.h"
#include "fwd/conf.h"
#include "fwd/counts.h"
#include "fwd/cut.h"
#include "fwd/drift.h"
#include "fwd/firewall.h"
#include "fwd/lists.h"
#include "fwd/networks.h"
#include "fwd/path.h"
#include "fwd/routing.h"
#include "fwd/serve.h"

/* What may have to be taken once more, when there was no memory for it. Rules are not written
 * before. */
enum fwd_due {
	DUE_CONF = 1,
	DUE_LAN = 2,
	DUE_EGRESS = 4,
	DUE_PROFILES = 8,
	DUE_FREED_BITS = 16,
	DUE_DEVICES = 32,
};

/* The daemon: what the parts share. */
struct fwd {
	struct daemon *daemon;
	const struct fwd_conf *conf;
	struct firewall firewall;
	struct networks networks;
	struct drift drift;
	struct cut cut;
	struct counts counts;
	struct routing routing;
	struct path path;
	enum path_queue_kind queue_kind;
	bool path_wanted; /* by the configuration */
	struct directory *directory;
	struct lists lists;
	struct serve serve;
	struct timer settle;	/* runs from a change until it is in the kernel */
	bool known;		/* devices have replaced what a former run left in the maps */
	bool forwarding;	/* allowed since the first rules */
	uint64_t keep_until_ms; /* monotonic: a former run's rules are not replaced before */
	bool failing;		/* the last transaction was refused */
	bool profile_refused;	/* its devices are to be walled */
	unsigned due;		/* enum fwd_due */
	uint64_t freed_bits;	/* of lists, that the feed still has */
	bool masks_due;		/* a new combination of lists is not in the rules yet */
	bool sharing;		/* more combinations than mask ids, and reported */
	uint64_t profiles_gen, lists_gen; /* as delivered */
	uint64_t heals;
	bool started, closing;
};

/* settle.c: something wanted has changed: it is in the kernel within milliseconds. */
void fwd_schedule(struct fwd *f);
/* Now. 0 or -errno, logged and reported. */
int fwd_settle(struct fwd *f);
/* The timer's: settles, and later again if that failed. */
void fwd_on_settle(struct timer *t);
void fwd_alarm(struct fwd *f, const char *what, const char *detail);

/* bus.c: devices, settings, profiles, status. */
int fwd_bus_start(struct fwd *f);
void fwd_bus_stop(struct fwd *f);
/* LAN = settings and own networks. */
int fwd_take_lan(struct fwd *f);
int fwd_take_egress(struct fwd *f);
/* What was delivered is in force. */
void fwd_report_applied(struct fwd *f);

/* due.c: takes that (enum fwd_due) now, or without memory when the rules are next to be written. */
void fwd_take(struct fwd *f, unsigned what);
/* What is due. 0 or -errno. */
int fwd_catch_up(struct fwd *f);

/* devices.c: the devices of the directory become what the maps should hold. */
int fwd_take_devices(struct fwd *f);
int fwd_take_device(struct fwd *f, struct device_view *v);
/* It is about to go. */
void fwd_drop_device(struct fwd *f, struct device_view *v);
/* While the kernel still has what a former run left: whose addresses are whose, so that nobody
 * inherits what another was told. */
int fwd_note_device(struct fwd *f, struct device_view *v);
/* It is about to go then. */
void fwd_disown_device(struct fwd *f, struct device_view *v);
/* After a batch of the above: combinations of lists get their rules. */
int fwd_settle_lists(struct fwd *f);
