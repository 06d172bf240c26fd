/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/addr.h"
#include "common/buf.h"

/*
 * A line of the access log: Apache's "combined" behind the website's name, with the device as its
 * user, which GoAccess reads as VCOMBINED; behind it verdict, rule and milliseconds:
 *
 *   site.example:443 10.9.0.2 - phone [29/Nov/2026:20:40:00 +0000] "GET /a?b HTTP/1.1" 200 512
 *   "-" "-" allow "category education" 12
 *
 * Whatever could end a field or the line early is written as %XX.
 */
struct access_line {
	int64_t at_s; /* epoch; written in UTC */
	const struct addr *client;
	const char *device;
	const char *method;
	const char *version; /* of HTTP; NULL: not known, written as 1.1 */
	const char *host;    /* "": not known */
	uint16_t port;
	const char *path; /* NULL: the target is host and port, as of CONNECT */
	int status;	  /* 0: there was no answer; written as 499, as nginx does */
	uint64_t bytes;
	const char *verdict, *rule;
	uint64_t ms;
};

/* Appends the line. 0, or -ENOSPC, -ENOMEM. */
int access_line_format(const struct access_line *l, struct buf *out);
