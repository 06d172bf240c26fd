/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/api.h"

/*
 * The first administrator: while there is none, a link with a one-time token lies in a 0600 file
 * (SPEC A4). The database has the token's hash, so that any apid on it takes the token.
 */

/* Makes the link where one is needed, takes the file away where it is not. Called after each
 * complete load; only the apid that publishes makes one. */
void setup_check(struct api *a);
