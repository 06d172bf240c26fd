/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/policy.h"
#include "proxyd/page.h"

/* The answer to what the policy does not allow (SPEC P7): 451, always. */
struct blocked {
	const char *url;  /* shown, and handed to the portal */
	const char *host; /* of the URL */
	/* Where the portal is: its path, below "https://gateway.example" ("" = the page's own
	 * host). */
	const char *portal, *portal_path;
};

/* "Site Not Reviewed", or "Site Blocked" with what blocked it, and the way to the portal. What the
 * request is for (image, script, style, JSON, page) decides the form. 0 or -errno. */
int blocked_send(const struct pages *pages, struct http_request *req, const struct decision *d,
	const struct blocked *b);
/* The same for a search with that term (P11). */
int blocked_send_term(const struct pages *pages, struct http_request *req, const char *term,
	const struct blocked *b);
