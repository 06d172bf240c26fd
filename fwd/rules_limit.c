/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fwd/rules.h"

/* Dropped, not refused: TCP slows down. */
void write_limits(struct rule_writer *r)
{
	foreach_family (f) {
		rule_begin(r, "upload");
		match_over_upload(r, f->number, f->upload);
		end_dropped(r, REASON_RATE);
		rule_begin(r, "download");
		match_over_download(r, f->number, f->download);
		end_dropped(r, REASON_RATE);
	}
}
