/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/body.h"

/* JSON Schemas (2020-12, as OpenAPI 3.1 has them) of what bodies hold. What is given back is the
 * caller's. */

/* {"type": type} */
cJSON *openapi_type(const char *type);
/* {"$ref": …} to components/schemas/NAME. */
cJSON *openapi_reference(const char *name);
/* min, max: of elements; 0 = no bound. Takes item. */
cJSON *openapi_array(cJSON *item, int64_t min, int64_t max);

/* Adds s, and what it is made of, to schemas where they are not there yet. */
void openapi_add_schema(cJSON *schemas, const struct body_schema *s);
/* Of a merge patch of s, which schemas has. */
cJSON *openapi_patch(const cJSON *schemas, const struct body_schema *s);
/* A value as s describes it. NULL: it has none. */
cJSON *openapi_example(const struct body_schema *s);
