/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/daemon.h"
#include "common/policy/directory.h"
#include "fwd/conf.h"
#include "fwd/counts.h"
#include "fwd/cut.h"
#include "fwd/drift.h"
#include "fwd/firewall.h"
#include "fwd/networks.h"
#include "fwd/routing.h"

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
	struct directory *directory;
	struct timer settle;   /* runs from a change until it is in the kernel */
	bool known;	       /* devices have replaced what a former run left in the maps */
	bool forwarding;       /* allowed since the first rules */
	bool failing;	       /* the last transaction was refused */
	uint64_t profiles_gen; /* of `profiles`, as delivered */
	uint64_t heals;
	bool started, closing;
};

/* Something wanted has changed: it is in the kernel within milliseconds. */
void fwd_schedule(struct fwd *f);
/* Now. 0 or -errno, logged and reported. */
int fwd_settle(struct fwd *f);
void fwd_alarm(struct fwd *f, const char *what, const char *detail);

/* bus.c: devices, settings, profiles, status. */
int fwd_bus_start(struct fwd *f);
void fwd_bus_stop(struct fwd *f);
/* The devices of the directory become what the maps should hold. */
int fwd_take_devices(struct fwd *f);
/* LAN = settings and own networks. */
int fwd_take_lan(struct fwd *f);
/* What was delivered is in force. */
void fwd_report_applied(struct fwd *f);
