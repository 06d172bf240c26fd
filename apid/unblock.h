/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/store.h"

/* Overrides that were made for a while have ids that begin so; they go some time after their end.
 */
#define UNBLOCK_PREFIX "unblock-"

/* Removes those that have ended. */
void unblock_purge(struct store *s);
