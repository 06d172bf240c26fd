/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/policy/watches.h"
#include "dnsd/message.h"

/* Tells who watches of a query (SPEC D10), as the device's privacy lets it: verdict is "allowed",
 * "blocked" or "failed", rule what decided ("" for nothing). */
void tell_query(const struct watches *w, const struct device_view *v, const struct question *q,
	const char *verdict, const char *rule);
