/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/directory.h"

/* Private to common/policy: how a device view comes out of its records. */

struct view_inputs {
	const struct rec_device *device;
	const struct rec_group *group; /* NULL: none, or not there (then device->group is set) */
	const struct settings *settings;
	const struct rec_device_pref *device_prefs[2]; /* the winning owner's first; NULL = none */
	const struct rec_device_pref *group_prefs[2];
	struct time_zones *zones;
	bool over_quota;
	int64_t now_ms;
	int64_t entitled_at_ms; /* now, or later where the clock was set back */
};

/* Resolves device > group > defaults, switches, entitlement. out is zeroed but for `user`; its
 * strings point into the inputs. */
void view_resolve(const struct view_inputs *in, struct device_view *out);
/* When time alone may make it another view: expiry, an edge of a schedule. Epoch ms, 0 = never. */
int64_t view_next_change(const struct device_view *v, int64_t now_ms);
/* Are two views alike in everything a daemon acts on? (lists_off_mask, policy, user left out.) */
bool view_equal(const struct device_view *a, const struct device_view *b);
