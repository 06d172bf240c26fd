/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parses exactly one JSON value of len bytes: depth at most 32, nothing but blanks behind it, valid
 * UTF-8, no NUL in strings, no duplicate keys in an object. NULL when it is not; free with
 * cJSON_Delete. */
cJSON *json_parse(const char *text, size_t len);
/* The same for who must know why: 0, -EINVAL (it is not), -ENOMEM; *out is NULL unless 0. */
int json_read(const char *text, size_t len, cJSON **out);
/* Compact text, free with free(). NULL without memory. It is UTF-8 even if a string is not, as one
 * that was cut within a character: each wrong byte becomes U+FFFD, since json_parse would refuse
 * all that stands around it. */
char *json_format(const cJSON *value);
/* For who builds what has to be whole: adds item, which is freed when it cannot be. False without
 * memory, also when item is NULL already. */
bool json_add(cJSON *object, const char *name, cJSON *item);
bool json_push(cJSON *array, cJSON *item);
/* value; NULL, and it is freed, unless all of it could be added. */
cJSON *json_whole(cJSON *value, bool is_whole);
/* Member of an object, exact name; NULL when absent. */
const cJSON *json_get(const cJSON *object, const char *name);
/* An integer within ±2^53 without a fraction. */
bool json_get_int(const cJSON *value, int64_t *out);
