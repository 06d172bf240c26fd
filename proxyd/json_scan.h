/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/masker.h"

/* Masks in the string values of JSON (also several texts in a row, also behind a guard such as
 * `)]}'`); keys and structure stay. */
#define JSON_SCAN_DEPTH 1024

enum json_state { JSON_OUT, JSON_KEY, JSON_VALUE, JSON_LOST };

struct json_scan {
	struct masker *m;
	enum json_state state;
	bool wants_key;
	size_t depth;
	uint8_t objects[JSON_SCAN_DEPTH / 8]; /* bit per level: an object */
};

void json_scan_init(struct json_scan *j, struct masker *m);
/* Takes bytes; how many: at the end some may be left that mean nothing yet without what follows
 * (fewer than 16); none with is_last, which also ends a text. */
size_t json_scan(struct json_scan *j, const uint8_t *data, size_t len, bool is_last);
