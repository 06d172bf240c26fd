/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/policy.h"
#include "proxyd/exchange_impl.h"

/* What a request is for, and whether that may be. */

/* Fills in target and path. NULL = good, else a sentence that says why not; *status is set then. */
const char *judge_target(struct exchange *x, const struct http_head *head, int *status);
/* Fills in url from target and path. */
void judge_make_url(struct exchange *x);
/* The page whose part the request is, as the browser says (P5, what sites need); false for what is
 * opened by itself. */
bool judge_find_page(const struct http_head *head, struct target *out);
/* The policy's word on the target; host_only: the path is not known yet. */
void judge_decide(const struct exchange *x, bool host_only, struct decision *out);
bool judge_is_allowed(const struct decision *d);
/* DNS over HTTPS is a way round the DNS filter, whatever its name (SPEC P15): as a body, or wished
 * for as one. */
bool judge_is_dns_message(const struct http_head *head);
bool judge_asks_for_dns(const struct http_head *head);
/* The head asks for WebSocket, or (status 101) agrees to it. */
bool judge_is_websocket(const struct http_head *head);
/* Max-Forwards of an OPTIONS request (RFC 9110 7.6.2); -1 = as many as it likes. */
int64_t judge_hops_left(const struct http_head *head);
