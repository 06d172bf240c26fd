/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The table of mark and ct-mark bits. Nobody else on the gateway may use these bits on packets that
 * come from a tunnel.
 *
 * Packet mark, set for every packet from a tunnel interface by chain `gate` (prerouting, raw) from
 * the device's entry in the maps devices4 and devices6, overwriting what was there:
 *
 *   0x000000ff  id of the profile; 0 = the source address is no device's
 *               1 walled, 2 full, 3 internet, 4 intranet, 16..255 defined by an admin
 *   0x00000100  offline_vpn: nothing but the explicit proxy
 *   0x00000200  offline_browser: no intercepted or forwarded port 80
 *   0xfffffc00  zero, kept for later use
 *
 * Conntrack mark, set when a flow of a device is approved:
 *
 *   0x00ffffff  policy epoch under which it was approved; 0 = never. Sets epoch_ok (of valid
 *               epochs) and map epoch (the one to write) hold the current one
 *   0xff000000  zero, kept for the states of in-path judging
 */
enum {
	MARK_PROFILE = 0x000000ff,
	MARK_OFFLINE_VPN = 0x00000100,
	MARK_OFFLINE_BROWSER = 0x00000200,

	CT_MARK_EPOCH = 0x00ffffff,
};

enum profile_id {
	PROFILE_NONE = 0,
	PROFILE_WALLED = 1,
	PROFILE_FULL = 2,
	PROFILE_INTERNET = 3,
	PROFILE_INTRANET = 4,
	PROFILE_ADMIN_FIRST = 16,
	PROFILE_ADMIN_LAST = 255,
};
