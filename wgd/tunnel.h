/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include "common/netlink.h"
#include "common/timer.h"
#include "wgd/backend.h"
#include "wgd/conf.h"

/*
 * One tunnel interface kept as it should be (W1, W3). Two kinds of pass: a full one reads what is
 * and applies the difference (at start, every 10 s, when the link or the socket changes, after a
 * failure); a quick one applies a known change of peers at once.
 *
 * The kernel announces a deleted interface, but neither a new key nor a peer added by hand: Linux's
 * WireGuard has no event for them. Where the backend can check cheaply, that is done between full
 * passes, every 0.5 s, or more rarely so that it takes at most 1/200 of a processor. With thousands
 * of peers such a change is therefore healed later, at the latest by the full pass.
 *
 * F8: the interface comes up only once fwd has its rules in force for it: on a host that forwards
 * anyway an early tunnel would leak. Afterwards they stay, so that an interface that is up stays
 * so.
 */
enum tunnel_state {
	TUNNEL_WAITING, /* no interface or no socket yet, or the last pass failed */
	TUNNEL_READY,	/* as it should be after the last pass */
};

struct tunnel;
struct tunnel_ops {
	/* Appends the desired peers; -EAGAIN when they are not known yet, which leaves the
	 * interface's peers alone. */
	int (*build_peers)(void *arg, struct tunnel *t, struct wg_device *out);
	/* Is the desired state complete and of the current epoch, so that it may purge many? */
	bool (*may_purge)(void *arg);
	/* A full pass read the interface. */
	void (*on_actual)(void *arg, struct tunnel *t, const struct wg_device *dev);
	/* A pass has ended. */
	void (*on_pass)(void *arg, struct tunnel *t);
	void (*on_closed)(void *arg, struct tunnel *t);
	/* The interface was as desired, and somebody else changed it; the changes put it right. */
	void (*on_repair)(void *arg, struct tunnel *t, const struct wg_changes *changes);
};

struct tunnel {
	const struct conf_tunnel *conf;
	struct wg_key private_key;
	size_t number; /* in the daemon's list */
	const char *uapi_dir;
	enum wgd_backend choice;
	uv_loop_t *loop;
	struct nl *route; /* rtnetlink requests, shared */
	struct nl *rules; /* nfnetlink requests, shared; NULL = no rules needed */
	const struct tunnel_ops *ops;
	void *arg;

	const struct backend_ops *backend_ops; /* NULL until chosen */
	struct backend *backend;
	enum tunnel_state state;
	int index;	    /* of the interface, 0 = none */
	struct timer timer; /* next pass */
	uint64_t due_at;    /* monotonic ms, while the timer runs */
	uint64_t retry_ms;
	bool busy; /* an operation of the backend is under way */
	bool want_full;
	bool held;		   /* removals wait for a complete desired state */
	size_t peer_count;	   /* on the interface, after the last pass */
	struct wg_changes pending; /* for the next quick pass */
	uint64_t full_passes, quick_passes, failures, checks, repairs;
	bool known;	      /* the last full pass knew the desired peers */
	bool clean;	      /* as desired after the last pass, and no other is desired since */
	uint64_t fingerprint; /* of the interface when it was clean; 0 = unknown */
	uint64_t full_due_at, check_due_at; /* monotonic ms */
	uint64_t began_us;		    /* processor time at the begin of a pass or check */
	int last_error;
	bool without_ipv6; /* the interface cannot have it */
};

/* All fields up to arg are set by the caller. */
void tunnel_open(struct tunnel *t);
/* A full pass soon; whatever may have changed on the interface. */
void tunnel_kick(struct tunnel *t);
/* The next reading of the interface comes within that time. */
void tunnel_read_within(struct tunnel *t, uint64_t delay_ms);
/* The tunnel's own key or settings are changed: a full pass soon. */
void tunnel_renew(struct tunnel *t);
/* One desired peer changed; takes effect with tunnel_flush. */
void tunnel_change(struct tunnel *t, enum wg_change_kind kind, const struct wg_peer *peer);
void tunnel_flush(struct tunnel *t);
/* Is the interface as desired, with nothing under way? */
bool tunnel_is_settled(const struct tunnel *t);
/* The interface stays as it is. on_closed comes when the memory may go. */
void tunnel_close(struct tunnel *t);
const char *tunnel_state_text(enum tunnel_state s);
