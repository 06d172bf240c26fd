/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/bulk.h"

/* The same of devices, which are more than a record: what a record does not name of tunnel,
 * addresses and key stays; new devices get free addresses. */
extern const struct resource bulk_device_resource;

/*
 * For bulk_check's rows without errors. on_done: 0: written; -EALREADY: nothing was written, for it
 * is dry or b has errors now; -EEXIST: a key or address is another device's; others: try again. b's
 * counts are then what it does, or would.
 */
void bulk_devices_write(struct bulk *b, bool is_dry, const struct store_actor *by,
	void (*on_done)(void *arg, int status), void *arg);
