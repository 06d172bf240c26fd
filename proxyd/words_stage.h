/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/body.h"
#include "proxyd/html_scan.h"
#include "proxyd/media_type.h"
#include "proxyd/words.h"

/* The word filter (SPEC P9) as a stage between decoding and encoding. */
struct words_options {
	struct words *words;  /* a reference is taken */
	enum media_kind kind; /* HTML, XHTML, JS, JSON, TEXT */
	const char *charset;  /* as declared with the type, NULL: not */
	bool keeps_scripts;   /* html_scan's */
	struct html_ops html;
};

/* What came of it; read after the end. */
struct words_result {
	uint64_t masked;	  /* occurrences */
	uint64_t lost;		  /* scripts that could not be followed */
	bool has_unknown_charset; /* passed as it came, or read as if none was declared */
};

/* NULL: no memory. `result` is filled when the body ends, and must live until the stage is freed;
 * NULL is allowed. */
struct body_stage *words_stage_new(const struct words_options *opt, struct words_result *result);
