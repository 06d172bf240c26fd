/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "wgd/device.h"

/*
 * The smallest change that makes actual into desired (W3): unknown peers are removed, wrong ones
 * set, right ones left alone. Pure. desired has each key and each allowed prefix once. Removals
 * come first; a prefix that moves between peers ends with the right one in any order, because a SET
 * replaces all prefixes of its peer and takes them from others. out is initialised here; -ENOMEM
 * leaves it empty.
 */
int reconcile_diff(
	const struct wg_device *desired, const struct wg_device *actual, struct wg_changes *out);
/* Would it purge more than half of the peers there are? Then only a complete desired state of the
 * current epoch may do it. */
bool reconcile_is_mass_removal(size_t removals, size_t actual_count);
