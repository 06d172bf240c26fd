/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/netlink.h"
#include "wgd/device.h"

/*
 * Messages of the kernel's WireGuard family (linux/wireguard.h). Building and reading are pure;
 * what is sent goes through emit, one message at a time.
 */

/* Builds WG_CMD_SET_DEVICE messages for these changes, as many as NL_MESSAGE_MAX asks for: the
 * interface's own settings in the first, a peer always whole in one. Ends at the first error of
 * emit and returns it. nl gives sequence numbers. */
int genl_build_set(struct nl *nl, uint16_t family, const char *ifname,
	const struct wg_changes *changes, int (*emit)(struct nlmsghdr *msg, void *arg), void *arg);
/* WG_CMD_GET_DEVICE of that interface, in buf of NL_MESSAGE_MAX bytes. */
struct nlmsghdr *genl_build_get(struct nl *nl, void *buf, uint16_t family, const char *ifname);
/* Adds what one message of the dump says to dev; a peer may go on in the next message.
 * -EBADMSG, -ENOMEM. */
int genl_read_device(const struct nlmsghdr *msg, struct wg_device *dev);
/* Adds what one message of the dump says of keys, port and prefixes to a sum that does not depend
 * on the order of peers, nor on where the kernel splits them. key is of 16 random bytes. */
void genl_add_fingerprint(const struct nlmsghdr *msg, const uint8_t key[static 16], uint64_t *sum);
