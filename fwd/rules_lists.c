/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include "fwd/masks.h"
#include "fwd/sets.h"
#include <netinet/in.h>

static void match_part(
	struct rule_writer *r, const char *chain, const struct family *f, uint64_t bits, bool high)
{
	rule_begin(r, chain);
	match_flow_bits(r, f->number, high ? f->listed_hi : f->listed_lo,
		(uint32_t)(high ? bits >> 32 : bits));
}

static void write_mask(void *arg, unsigned id, const struct list_bits *bits)
{
	struct rule_writer *r = arg;
	char chain[CHAIN_LEN];
	mask_chain_format(id, chain);
	foreach_family (f)
		for (int high = 0; high < 2; high++) {
			if ((uint32_t)(bits->by_address >> 32 * high)) {
				match_part(r, chain, f, bits->by_address, high);
				end_refused(r, REASON_LISTED);
			}
			if ((uint32_t)(bits->doh >> 32 * high)) {
				match_part(r, chain, f, bits->doh, high);
				match_flow_dport(r, IPPROTO_TCP, PORT_HTTPS, PORT_HTTPS);
				end_refused(r, REASON_DOH);
			}
		}
}

void write_lists(struct rule_writer *r, const struct masks *masks)
{
	masks_each(masks, write_mask, r);
}
