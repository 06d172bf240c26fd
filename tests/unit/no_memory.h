/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>

/* Memory that there is none of, in the whole program: its allocations are counted while is_on, and
 * the n-th of them (1 = the next) fails, alone; 0: none does. */
void no_memory_at(unsigned n);
void no_memory_switch(bool is_on);
/* Has it failed since? Then nothing is counted any more. */
bool no_memory_was(void);
