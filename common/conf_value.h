/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"

/* Private to common/conf*.c. */

#define CONF_WHY_LEN 256

/* Parses text by the row's type into the value at conf + offset, which must be empty. On failure
 * -errno and the reason in why; the value stays empty. */
int conf_value_parse(
	const struct conf_row *row, const char *text, void *conf, char why[static CONF_WHY_LEN]);
/* Frees and zeroes the value at conf + offset; secrets are wiped. */
void conf_value_fini(const struct conf_row *row, void *conf);

/* Is text of [A-Za-z0-9] and the characters of more, 1..max of them? -EINVAL and why. */
int conf_check_word(const char *text, size_t max, const char *more, char *why, size_t why_len);
