/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Why a packet was refused or dropped (F12). Each has a named counter of the table; those that
 * stand in the mark are counted per device too, in refused4 and refused6 (sets.h). Numbers stay:
 * they stand in elements that outlive fwd.
 */
enum reason {
	REASON_NONE,
	REASON_UNKNOWN_SOURCE, /* no device has that address, or it came another way */
	REASON_NO_ROUTE,
	REASON_INBOUND, /* to a device, and no answer to it */
	REASON_INVALID, /* conntrack knows no flow for it */
	REASON_TO_DEVICE,
	REASON_SWITCH, /* offline_vpn, offline_browser */
	REASON_DNS,
	REASON_DOT,
	REASON_QUIC,
	REASON_DOH,
	REASON_NOT_REDIRECTED,
	REASON_PROFILE,
	REASON_CLOSED,	 /* a service of the gateway that devices have no business with */
	REASON_LISTED,	 /* the address is on a list that is on for the device */
	REASON_STRICT,	 /* dnsd did not give the device this address */
	REASON_EGRESS,	 /* the egress guard */
	REASON_EMBEDDED, /* an IPv6 form of an IPv4 address that would get round the rules */
	REASON_RATE,	 /* over the device's rate; dropped */
	REASON_OUTPUT,	 /* proxyd's user may not connect there */
	REASON_HELLO,	 /* denied by its hello, in the path */
	REASON_UNREAD,	 /* to be judged in the path, and nobody did */
	REASONS
};

/* Name of the counter: "unknown_source" … "unread". */
const char *reason_name(enum reason r);
