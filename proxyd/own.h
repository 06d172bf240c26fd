/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/http.h"
#include "proxyd/proxy.h"
#include "proxyd/target.h"

/*
 * Requests that the gateway answers itself: the set-up page and its downloads (SPEC P2, P19), on
 * the portal's ports, to the explicit proxy itself, and through it.
 */

/* Who asks, and under which name. */
struct own_visit {
	struct proxy *p;
	struct addr device;
	struct target at; /* host, port, is_https of the request; its path is not used */
};

/* Answers the request; path is its origin-form ("/proxy.pac?x"). */
void own_answer(const struct own_visit *v, struct http_request *req, const char *path);
