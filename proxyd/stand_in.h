/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/proxy.h"
#include "proxyd/target.h"

/* What a device's own DNS has in a name's place. */
struct stand_in {
	char name[TARGET_HOST_LEN]; /* whose addresses are the name's */
	struct addr addrs[ADDR_LIST_MAX];
	size_t count; /* of addrs, which are the name's then; 0: ask for `name` */
};

/*
 * proxyd asks dnsd as the gateway itself, which no rule of a device changes. For what is not
 * decrypted this is what dnsd answers the device: by its DNS rule (SPEC D4), or the restricted form
 * of a search engine (D5), which nobody could see to in the request. dev NULL: the name itself.
 */
void stand_in_find(
	struct proxy *p, struct device_view *dev, const char *host, struct stand_in *out);
/* A number for what stand_in_find finds: while it is the same, a connection leads where it would
 * lead now. */
uint64_t stand_in_tag(struct proxy *p, struct device_view *dev, const char *host);
