/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

#include "fwd/masks.h"
#include "fwd/sets.h"
#include <netinet/in.h>

enum form { FORM_IPV4, FORM_IPV6, FORM_NAT64, FORMS };

static void match_bits(struct rule_writer *r, enum form form, uint64_t bits, bool high)
{
	const struct family *f = &families[form == FORM_IPV6];
	const char *map = high ? f->listed_hi : f->listed_lo;
	uint32_t part = (uint32_t)(high ? bits >> 32 : bits);
	if (form == FORM_NAT64)
		match_nat64_bits(r, map, part);
	else
		match_flow_bits(r, f->number, map, part);
}

static void write_half(struct rule_writer *r, const char *chain, const struct list_bits *bits,
	enum form form, bool high)
{
	if ((uint32_t)(bits->by_address >> 32 * high)) {
		rule_begin(r, chain);
		match_bits(r, form, bits->by_address, high);
		end_refused(r, REASON_LISTED);
	}
	if ((uint32_t)(bits->doh >> 32 * high)) {
		rule_begin(r, chain);
		match_bits(r, form, bits->doh, high);
		match_flow_dport(r, IPPROTO_TCP, PORT_HTTPS, PORT_HTTPS);
		end_refused(r, REASON_DOH);
	}
}

void write_mask(struct rule_writer *r, unsigned id, const struct list_bits *bits)
{
	char chain[CHAIN_LEN];
	mask_chain_format(id, chain);
	for (enum form form = FORM_IPV4; form < FORMS; form++) {
		write_half(r, chain, bits, form, false);
		write_half(r, chain, bits, form, true);
	}
}
