/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "fwd/nft.h"
#include <stdio.h>

/* Prints what the kernel has in our table, in the manner of nft: counters, sets and maps with their
 * elements, chains with the expressions of their rules. -ENOENT: there is no table. */
int dump_table(struct nft *n, FILE *out);
