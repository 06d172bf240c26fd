/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/netlink.h"
#include "common/timer.h"

struct drift_ops {
	/* The table, a chain or a rule was changed or is gone: at once, before anything is healed.
	 */
	void (*on_loss)(void *arg);
	/* A moment later: what is there is to be compared with what should be. */
	void (*on_drift)(void *arg, bool foreign, bool fed, const char *who);
};

/* Watches the kernel's nf_tables events for changes to our table that are not our own (F11). */
struct drift {
	struct nl events;
	struct timer settle;
	uint32_t own_port; /* changes from this netlink port are ours */
	bool fed;	   /* what dnsd fed may be touched, too */
	bool foreign;	   /* seen since the last call of on_drift; false: events were lost */
	char who[32];	   /* name of the program that did it, "" when unknown */
	uint64_t last_ms;
	const struct drift_ops *ops;
	void *arg;
};

int drift_open(struct drift *d, uv_loop_t *loop, uint32_t own_port, const struct drift_ops *ops,
	void *arg);
void drift_close(struct drift *d);
