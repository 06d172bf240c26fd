/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/body.h"
#include "common/buf.h"

/*
 * Records as rows of cells, a column per field: texts as they are, true and false, numbers, several
 * texts joined by semicolons (as JSON where one holds a semicolon), everything else as JSON. An
 * empty cell is a field that is not there.
 */
bool cells_has_field(const struct body_schema *s, const char *name);
/* Adds the field to record; the value is checked later. -EINVAL: the cell does not say such a
 * value. */
int cells_take(const struct body_schema *s, cJSON *record, const char *name, const char *cell);
/* The names of all fields as a line. */
void cells_append_head(const struct body_schema *s, struct buf *out);
void cells_append(const struct body_schema *s, const cJSON *record, struct buf *out);
