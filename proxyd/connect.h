/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"

/*
 * TCP connections to websites: the name is resolved through dnsd, each address must pass the guard
 * for the device (SPEC P15), then "happy eyeballs" (RFC 8305): IPv6 first, families in turn, a new
 * attempt every 250 ms or as soon as one failed; the first that is connected wins, the others are
 * closed. The address that was connected is checked once more. Of a host that is an address the
 * firewall is asked before, where it knows more than the guard (reach.h).
 */

/* May the device connect there now, to what the host (a name, or an address) leads to? NULL = yes,
 * else why not. */
const char *connect_check(
	struct proxy *p, const struct addr *device, const char *host, const struct endpoint *to);

/* The same of a device as it is, or would be. */
const char *connect_check_view(
	struct proxy *p, struct device_view *dev, const char *host, const struct endpoint *to);

/* Is one of the names that the host is an alias of, as far as it has been asked, on a list of the
 * device (D7)? As in DNS, which who uses the proxy does not ask; an admin's word on the name itself
 * stands above lists. */
bool connect_is_cloaked(struct proxy *p, struct device_view *dev, const char *host);

/* Is the host an address of which the firewall must be asked (reach.h), each time? */
bool connect_needs_reach(struct proxy *p, const struct addr *device, const char *host);

/* The same of where a connection that was made before leads: for another request, which is not
 * where nobody remembers what the host is an alias of; and for the one that it is used for. */
bool connect_may_reuse(
	struct proxy *p, const struct addr *device, const char *host, struct stream *s);
bool connect_may_stay(
	struct proxy *p, const struct addr *device, const char *host, struct stream *s);

struct connect;

struct dial_error {
	int status; /* for the page: 403, 502, 503, 504 */
	const char *title;
	char message[384]; /* a sentence */
};

/* All are copied. */
struct connect_target {
	const struct addr *device; /* the client's tunnel address */
	const char *host;	   /* a name, or an address literal without brackets */
	uint16_t port;
	/* Of an intercepted flow: where the client wanted to go. Tried first if it is among the
	 * name's answers, never otherwise. NULL for the explicit proxy. */
	const struct addr *original;
	/* Nobody looks into it: it leads to what the device's own DNS has for the name
	 * (stand_in.h).
	 */
	bool is_undecrypted;
};

/* Either a connected, non-blocking socket with TCP_NODELAY, the callee's, and its address; or fd -1
 * and an error. Pointers are valid during the call only. */
typedef void (*connect_on_done)(
	void *arg, int fd, const struct addr *to, const struct dial_error *err);

/* on_done is always called from the loop, unless cancelled. NULL without memory. */
struct connect *connect_start(
	struct proxy *p, const struct connect_target *t, connect_on_done on_done, void *arg);
/* on_done will not be called. Not after it was. */
void connect_cancel(struct connect *c);
