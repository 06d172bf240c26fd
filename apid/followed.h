/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/table.h"
#include "common/bus.h"

/* Topics that other daemons own, as tables that the API shows and does not change itself. */
struct followed {
	struct bus *bus;
	struct table lists;  /* syncd's */
	struct table pinned; /* proxyd's (SPEC P14): those in force */
};

/* f is zeroed. 0 or -errno. */
int followed_open(struct followed *f, struct bus *bus);
void followed_fini(struct followed *f); /* after the loop has ended */
