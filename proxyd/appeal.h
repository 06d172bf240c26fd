/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/own.h"
#include "proxyd/texts.h"

/*
 * The appeal portal (SPEC P8): a form for one website, in three modes, its result, and the device's
 * own requests. It stands under every website's name, where it speaks of that one only, and under
 * the gateway's, where it speaks of all.
 *
 * What is sent must come from the form itself: from the same host, as far as the browser says, and
 * with the token that the form was given for this device and host.
 */
#define APPEAL_BODY_MAX (48u << 10)

/* GET: the form. query: what is behind the "?", "" = nothing. */
void appeal_send_form(const struct own_visit *v, struct http_request *req, const char *query);
/* POST: takes what was sent. */
void appeal_take(const struct own_visit *v, struct http_request *req, const char *body, size_t len);
/* A page with one of the texts that say what was wrong. */
void appeal_send_error(
	const struct own_visit *v, struct http_request *req, int status, enum text text);
