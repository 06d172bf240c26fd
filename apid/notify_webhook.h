/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/notify_settings.h"

/* The way of a notification to a web server; for notify*.c only. */

/* Posts body, which is taken over; NULL: there was no memory for it. Ends in notify_settle, from
 * the loop or from within. */
void notify_webhook_send(struct notify_channel *c, const struct notify_settings *s, char *body);
/* What was on its way was taken (error NULL), or not. */
void notify_settle(struct notify_channel *c, const char *error);
