/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/route.h"

/* The OpenAPI 3.1 document of a table of routes. NULL without memory. */
cJSON *openapi_make(const struct route *routes, size_t n);
