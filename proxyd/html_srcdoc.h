/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/masker.h"

/*
 * Masks in a page that stands in an attribute (HTML 4.8.5, srcdoc): the text between its tags, as
 * it is once references are undone. Its tags, comments, scripts and styles stay.
 */
enum srcdoc_state {
	SRCDOC_TEXT,
	SRCDOC_LESS, /* behind a < */
	SRCDOC_TAG,
	SRCDOC_QUOTED, /* in a tag, in quote */
	SRCDOC_BOGUS,  /* up to > */
	SRCDOC_RAW,
	SRCDOC_RAW_LESS,
};

#define SRCDOC_NAME_LEN 8

/* All zero at the start of a value. */
struct html_srcdoc {
	enum srcdoc_state state;
	uint32_t quote;
	bool is_end, has_name; /* of the tag */
	char name[SRCDOC_NAME_LEN];
	size_t name_len;
};

/* Takes bytes of the value; how many: what is left means nothing without what follows, never with
 * is_final. */
size_t html_srcdoc_scan(
	struct html_srcdoc *s, struct masker *m, const uint8_t *p, size_t len, bool is_final);
