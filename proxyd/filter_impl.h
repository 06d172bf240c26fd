/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/timer.h"
#include "proxyd/filter.h"
#include "proxyd/filtering.h"

/* Private to filter*.c. */
struct filter {
	struct exchange *x; /* NULL once closed */
	struct proxy *p;
	struct body_chain chain;
	struct words_result words;
	struct timer turn; /* what is left goes on after others had theirs */
	uint64_t received; /* bytes of the body */
	bool is_running;   /* within the chain: it may not be freed now */
	bool has_ended;
	bool is_done; /* the client has all */
};

/* With an empty chain; NULL: no memory. */
struct filter *filter_new(struct exchange *x);
