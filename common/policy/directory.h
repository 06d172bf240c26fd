/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/bus.h"
#include "common/policy/settings.h"
#include "common/time_zone.h"

/*
 * The devices as the data plane sees them: address → device with everything resolved (device, then
 * group, then settings.device_defaults), the switches of both owners OR-ed, entitlement (W4) as of
 * now. Fed by the bus; used by wgd, fwd, dnsd, proxyd and explain. In a daemon of a gateway it has
 * the devices of this gateway's tunnels alone (bus_serves_tunnel).
 */
enum entitlement {
	ENTITLED,
	NOT_ENTITLED_INACTIVE,
	NOT_ENTITLED_EXPIRED,
	NOT_ENTITLED_NO_SUBSCRIPTION,
	NOT_ENTITLED_VPN_DISABLED, /* settings.premium_vpn_enabled is false */
	NOT_ENTITLED_OVER_QUOTA,
	NOT_ENTITLED_INVALID, /* the record is closed or settings are unknown */
};
/* "entitled", "inactive", "expired" … as given in answers of A1 and A2. */
const char *entitlement_text(enum entitlement e);
/* W4 by one function. now_ms is wall time. */
enum entitlement device_entitlement(
	const struct rec_device *d, const struct settings *s, bool over_quota, int64_t now_ms);

struct device_view {
	const char *id;
	const char *group; /* NULL when none */
	struct addr addresses[8];
	size_t address_count;
	bool address_wrong; /* the record holds one that is no address; it is left out above (W8) */
	const char *tunnel;
	const char *profile; /* effective name: "walled" when not entitled or closed; never NULL */
	enum entitlement entitlement;
	int64_t expires_at;		   /* epoch ms, 0 = never */
	bool offline_vpn, offline_browser; /* device, group and global, both owners OR-ed; and a
					      schedule of all that holds now (scheduled_off) */
	bool scheduled_off;
	bool strict;
	int site_scope, unknown_sites, images, words, egress, privacy; /* enums of the schema */
	int https_path, quic;
	bool v6;
	int64_t quota_bytes, rate_kbit; /* 0 = none */
	struct rec_strs lists_off;    /* ids of lists off for it (device, group; union of owners by
					 precedence) */
	uint64_t lists_off_mask;      /* policy.c's: bits of lists_off in domain set number
					 lists_off_version */
	uint32_t lists_off_version;   /* 0 = compute again */
	const struct time_zone *zone; /* NULL: a name that is no zone's; schedules hold then */
	const struct rec_schedule *schedules;
	size_t schedule_count;			   /* at most 64 */
	uint64_t schedules_now;			   /* bit per schedule: its window holds */
	uint64_t schedules_what;		   /* hash of what they are about */
	const struct rec_policy_fields *policy[3]; /* device, group, defaults; NULL where none */
	void *user; /* for the daemon; survives updates of the same id, NULL at first */
};

/* What holds for the device of SafeSearch: its own, its group's, the default; NULL when nothing is
 * restricted. */
const struct rec_safe_search *device_safe_search(const struct device_view *v);

struct directory;

struct directory_ops {
	/* A device appeared, one of its resolved facts changed, another device took an address of
	 * it over, or left it one. May be NULL. */
	void (*on_device)(void *arg, struct device_view *v);
	/* It is about to go. */
	void (*on_gone)(void *arg, struct device_view *v);
	/* A batch of changes is through; topics are applied at their generation after the daemon
	 * says so with directory_applied. */
	void (*on_batch_end)(void *arg);
	/* settings changed. */
	void (*on_settings)(void *arg, const struct settings *s);
};

/* Subscribes its topics on the bus. A timer re-judges entitlement at the second it changes. */
struct directory *directory_open(
	uv_loop_t *loop, struct bus *bus, const struct directory_ops *ops, void *arg);
void directory_close(struct directory *d); /* frees itself in the last close callback */
/* Have devices and settings been delivered (from disk or Redis)? Before that: closed. */
bool directory_is_known(const struct directory *d);
/* Devices complete in the bus's current epoch, for mass removals (W3). */
bool directory_is_current(const struct directory *d);
struct device_view *directory_find(struct directory *d, const struct addr *a);
struct device_view *directory_find_id(struct directory *d, const char *id);
/* The device as it is at another time (epoch ms), if nothing but time changes: its schedules,
 * whether it is entitled. Its strings belong to the directory; good until the loop's next turn. */
void directory_view_at(
	struct directory *d, const struct device_view *v, int64_t at_ms, struct device_view *out);
size_t directory_count(const struct directory *d);
/* for (struct device_view *v = NULL; (v = directory_next(d, v));) in no order. */
struct device_view *directory_next(struct directory *d, struct device_view *v);
const struct settings *directory_settings(const struct directory *d);
/* Everything delivered so far is in force in this daemon. */
void directory_applied(struct directory *d);
