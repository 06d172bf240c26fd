/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"

/* If-Match and If-None-Match of a change (RFC 9110 13.1), kept while it is under way. */
struct precondition {
	bool has_match; /* there is an If-Match; an empty one fits nothing */
	char match[160];
	bool none_exists; /* If-None-Match: * */
};

/* False: not in a form that we know. */
bool precondition_parse(const struct http_head *head, struct precondition *out);
/* text: the record as it is, NULL = none. 0 or -ESTALE. */
int precondition_check(const struct precondition *p, const char *text);
