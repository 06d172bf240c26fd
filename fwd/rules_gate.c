/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

/* Where the map has the source, one rule does it. */
void write_gate(struct rule_writer *r)
{
	foreach_family (f) {
		rule_begin(r, "gate");
		do_set_mark_from_source(r, f->number, f->devices);
		do_return(r);
		rule_end(r);
	}
	rule_begin(r, "gate");
	end_dropped(r, REASON_UNKNOWN_SOURCE);
}
