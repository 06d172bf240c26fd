/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <cjson/cJSON.h>
#include <stddef.h>

/* Files of the state directory that hold one JSON value each, as common/json.h takes and writes it.
 */

/* 0, -ENOENT and what else reading gave (-EFBIG: above max bytes), -EINVAL (not JSON), -ENOMEM.
 * *out is NULL unless 0, else the caller's. */
int json_file_read(const char *path, size_t max, cJSON **out);
/* Written atomically, for ourselves alone. 0 or -errno; value may be NULL: -ENOMEM. */
int json_file_write(const char *path, const cJSON *value);
