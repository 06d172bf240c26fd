/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/conf.h"
#include <stdio.h>

/*
 * Writes a daemon's keys for people and for the manual page's generator, shared rows first, one
 * line a key, fields divided by tabs: section  key  kind  default  environment  help kind says what
 * may stand there ("1..65535", "yes or no", "inline, splice"); default is "-" where a value is
 * required, empty where none is; environment is the variable that overrides the key.
 */
void conf_print_keys(FILE *out, const char *daemon, const struct conf_row *rows, size_t count);
