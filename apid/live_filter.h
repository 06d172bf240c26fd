/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/body.h"
#include "apid/live_row.h"

/* Which rows a reader of the live view wants, as its message says. */
struct live_filter {
	struct rec_strs devices; /* none = all */
	unsigned verdicts;	 /* 1 << enum live_verdict; 0 = all */
	char host[254];		 /* part of the host, lower case; "" = any */
};

extern const struct body_schema live_filter_schema;
/* Of the client's message, {"type":"filter",…}; what it leaves out is not filtered by. -EINVAL with
 * err, -ENOMEM; f is as before then. */
int live_filter_parse(struct live_filter *f, const char *text, size_t len, struct body_error *err);
void live_filter_fini(struct live_filter *f);
bool live_filter_is_empty(const struct live_filter *f);
bool live_filter_has(const struct live_filter *f, const struct live_row *r);
