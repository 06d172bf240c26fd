/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The table of mark and ct-mark bits.
 *
 * Packet mark. Where a packet from a tunnel interface is to be judged, chain `gate` overwrites its
 * mark with what the maps devices4 and devices6 hold for the device; packets of approved flows keep
 * theirs. All bits below are
 * shifted left by the setting fwd.mark_shift (0 to MARK_SHIFT_MAX), so that another program on the
 * gateway can have the lowest bits in later hooks; nobody else may use the bits of the table on
 * packets that come from a tunnel.
 *
 *   0x000000ff  id of the profile; 0 = the source address is no device's
 *               1 walled, 2 full, 3 internet, 4 intranet, 16..255 defined by an admin
 *   0x00000100  offline_vpn: nothing but the explicit proxy
 *   0x00000200  offline_browser: no intercepted or forwarded port 80
 *   0x00000400  strict: only to addresses in strict4, strict6
 *   0x00001800  egress guard: 0 off, 1 deny_tunnels, 2 web
 *   0x001fe000  mask id: which lists by address are on; 0 = none. Map `masks` leads to chain mask_N
 *   0x00200000  limited: maps upload4, download4 … name its limits
 *   0x07c00000  reason of a refusal (enum reason), set just before chain `refuse`
 *   0x08000000  its HTTPS always goes to proxyd, never in the path
 *   0x10000000  its QUIC is judged in the path, not refused
 *   0xe0000000  room for the shift
 *
 * MARK_ROUTED, never shifted and with every shift one of the bits of MARK_REASON, which say nothing
 * yet where a packet is routed: chain `route_in` saw it. What comes from a tunnel without it is
 * routed nowhere (route_guard.h).
 *
 * Conntrack mark, set when a flow of a device is approved (never shifted):
 *
 *   0x00ffffff  policy epoch under which it was approved; 0 = never. Sets epoch_ok (of valid
 *               epochs) and map epoch (the one to write) hold the current one
 *   0x01000000  limited: packets of this flow to the device count against its limit
 *   0x0e000000  generation of a flow that is judged in its path: tells a port that is used again
 *   0x10000000  it was, and passed
 *   0xe0000000  its state while it is judged there (enum path_state); 0: it is not
 *
 * Between the chains `path` and `path_end` the packet mark of such a flow is another one: the
 * generation and state of the connection mark on the way to the reader (proxyd --path), and in the
 * same places the reader's answer (enum path_answer) on the way back; then it is 0. Never shifted.
 */
enum {
	MARK_PROFILE = 0x000000ff,
	MARK_OFFLINE_VPN = 0x00000100,
	MARK_OFFLINE_BROWSER = 0x00000200,
	MARK_STRICT = 0x00000400,
	MARK_EGRESS = 0x00001800,
	MARK_EGRESS_DENY_TUNNELS = 0x00000800,
	MARK_EGRESS_WEB = 0x00001000,
	MARK_MASK_ID = 0x001fe000,
	MARK_MASK_ID_SHIFT = 13,
	MARK_LIMITED = 0x00200000,
	MARK_REASON = 0x07c00000,
	MARK_REASON_SHIFT = 22,
	MARK_SPLICED = 0x08000000,
	MARK_QUIC = 0x10000000,
	MARK_ALL = 0x1fffffff,
	MARK_SHIFT_MAX = 3,
	MARK_ROUTED = 0x04000000,

	CT_MARK_EPOCH = 0x00ffffff,
	CT_MARK_LIMITED = 0x01000000,
	CT_MARK_GENERATION = 0x0e000000,
	CT_MARK_PASSED = 0x10000000,
};
/* What is no enumerator: it would make every other one of its type unsigned. */
#define CT_MARK_PATH 0xe0000000u
enum { CT_MARK_GENERATION_SHIFT = 25, CT_MARK_PATH_SHIFT = 29 };

/* Of a flow, in CT_MARK_PATH. */
enum path_state {
	PATH_NONE,
	PATH_NEW,	/* nothing was read yet */
	PATH_PENDING,	/* the hello is not whole */
	PATH_TENTATIVE, /* it is allowed; what the server says next shows that it had the same one
			 */
	PATH_DENIED,
};

/* Of the reader, in the same bits of the packet mark. The first two come with NF_REPEAT, the others
 * with NF_ACCEPT; they are none of the states that a packet is asked with but denied, so that a
 * packet which nobody looked at has no answer. */
enum path_answer {
	PATH_ANSWER_PROVE =
		1, /* refused, and what the device does there next is proxyd's to prove */
	PATH_ANSWER_DENY = 4,
	PATH_ANSWER_PENDING = 5,
	PATH_ANSWER_TENTATIVE = 6,
	PATH_ANSWER_PASS = 7,
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
