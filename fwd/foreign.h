/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/hmap.h"
#include "fwd/elements.h"

/* Chains and sets that others, or an older configuration, put into our table (F11). */
struct foreign {
	struct hmap chains, sets; /* their names */
	const struct elements *elements;
};

void foreign_init(struct foreign *f);
void foreign_fini(struct foreign *f);
void foreign_clear(struct foreign *f);
/* Reads what is there. Chains of profiles and masks are ours while their map has an element. */
int foreign_find(struct foreign *f, struct nft *n, const struct elements *wanted);
/* Writes their deletion: behind all else, so that no rule and no element leads there any more. */
void foreign_write(const struct foreign *f, struct nft_batch *b);
