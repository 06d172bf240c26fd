/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/store.h"
#include "common/bus.h"

/* Records that had been written to Directus, and were removed there, are removed here, too: the
 * request policy_drop of syncd's. 0 or -errno. */
int policy_drop_serve(struct store *s, struct bus *bus);
