/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/body.h"
#include "proxyd/image_cache.h"

/*
 * The image filter (SPEC P10) as a stage: whatever comes, a transparent image of its size goes out,
 * 1x1 where that cannot be told from the first `limit` bytes. Once the size is known no more is
 * needed (body_chain.has_enough).
 */
struct image_options {
	bool is_svg;	 /* by its type: answered in kind; all others are answered with PNG */
	bool is_untyped; /* what browsers would not take for an image passes as it is */
	bool is_xml;  /* by its type: what is SVG by its root element is answered in kind, the rest
			 passes as it is */
	size_t limit; /* bytes */
	struct image_cache *cache; /* NULL: none */
};

/* The type of what goes out. */
const char *image_stage_type(const struct image_options *opt);
/* NULL: no memory. */
struct body_stage *image_stage_new(const struct image_options *opt);
