/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "apid/statistics.h"

/* The statements of apid/statistics.c. */
/* Adds what was gathered, as one transaction; how many rows that is. */
size_t statistics_add_writes(const struct gathered *g, struct db_batch *b);
/* Takes away what is past its time, a bounded part of it. now: epoch s. */
void statistics_add_purge(struct statistics *s, struct db_batch *b, int64_t now);
/* The batch with the purge has come back: takes away what is above rows_max, a bounded part. false:
 * there is nothing to take. */
bool statistics_trim(struct statistics *s, struct db_batch *b);
