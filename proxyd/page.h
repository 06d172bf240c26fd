/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"
#include "common/policy/policy.h"

/* The pages proxyd answers with itself (SPEC P7), and typed answers for what is no page. */

/* 451 for a decision that is no allow: "Site Not Reviewed" or "Site Blocked" with what blocked it.
 * url and host are shown, escaped. What the request is for (image, script, style, JSON, page)
 * decides the form. */
int page_send_blocked(struct http_request *req, const struct decision *d, const char *url);
/* An error page: status, a title, one sentence that says why, and the URL. */
int page_send_error(struct http_request *req, int status, const char *title, const char *message,
	const char *url);
