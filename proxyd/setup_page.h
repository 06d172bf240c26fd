/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "proxyd/own.h"

/*
 * The page with what a device needs and the steps for each system (SPEC P19). Whether the root
 * certificate is trusted it finds out without a script: over http it takes a style sheet from the
 * gateway's https, which a browser that does not trust it refuses. A script looks again by itself.
 */
void setup_page_send(const struct own_visit *v, struct http_request *req);
/* That style sheet. */
#define SETUP_TRUST_PATH "/trusted.css"
void setup_page_append_trust(const struct own_visit *v, struct buf *out);
