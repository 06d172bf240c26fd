/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/gateways.h"
#include "apid/table.h"

/* Topics that other daemons own, as tables that the API shows and does not change itself. */
struct followed {
	struct table lists;  /* syncd's */
	struct table pinned; /* proxyd's (SPEC P14): those in force */
	struct bus *bus;
	const struct gateways *gateways;
	struct followed_of {
		struct followed *all;
		struct bus *bus;
	} of[GATEWAYS_MAX];
};

/* f is zeroed. 0 or -errno. */
int followed_open(struct followed *f, struct bus *bus, const struct gateways *gateways);
/* The gateway whose proxyd has that record of `pinned`. */
const struct gateway *followed_pinned_at(const struct followed *f, const char *id);
void followed_fini(struct followed *f); /* after the loop has ended */
