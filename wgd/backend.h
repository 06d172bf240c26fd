/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/netlink.h"
#include "wgd/device.h"

/*
 * Who carries WireGuard (W2): the kernel, over generic netlink, or a userspace program over its
 * UAPI socket. One backend object serves one interface, one operation at a time; a callback may
 * come before the call returns. Addresses, MTU and routes are rtnetlink's in both cases (link.h).
 */
struct backend;

struct backend_ops {
	const char *name;
	/* The interface is ours to make; the other kind is made by the userspace program. */
	bool creates_link;
	/* NULL without memory. */
	struct backend *(*open)(
		uv_loop_t *loop, const char *ifname, const char *uapi_dir, void *arg);
	/* Reads the interface. dev is valid during the call, NULL unless status is 0. -ENOENT,
	 * -ECONNREFUSED: no such interface or socket yet. -ETIMEDOUT. */
	void (*get)(struct backend *b,
		void (*on_get)(void *arg, int status, const struct wg_device *dev));
	/* Applies the changes; after an error some may be in force. The caller keeps changes, which
	 * must last only for the call. */
	void (*set)(struct backend *b, const struct wg_changes *changes,
		void (*on_set)(void *arg, int status));
	/* The fingerprint that a reading would have now, for less than a reading costs. NULL where
	 * it would not. 0 or -errno. */
	int (*check)(struct backend *b, uint64_t *fingerprint);
	/* Gives up what is under way without calling back and frees b once its handles are closed.
	 */
	void (*close)(struct backend *b);
};

extern const struct backend_ops backend_kernel, backend_uapi;
