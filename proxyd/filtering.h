/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/bus.h"
#include "common/policy/directory.h"
#include "proxyd/image_cache.h"
#include "proxyd/image_ignore.h"
#include "proxyd/integrity.h"
#include "proxyd/terms.h"

/* What all filters of this process have together: the terms, scripts that keep their bytes, counts.
 */
struct filtering {
	struct terms *terms, *search_terms; /* NULL once closed */
	struct image_ignore *image_ignore;
	struct integrity integrity;
	struct image_cache image_cache;
	uint64_t bodies, masked; /* filtered ones, and occurrences in them */
	uint64_t images;	 /* replaced */
	/* Passed as they came, unless browsers do not know them either. */
	uint64_t unknown_codings, unknown_charsets, lost_scripts;
	uint64_t broken; /* bodies that could not be decoded: broken off */
};

/* images: transparent ones that are kept. 0, -ENOMEM, -EIO. */
int filtering_open(uv_loop_t *loop, struct bus *bus, const struct directory *dir, size_t images,
	struct filtering **out);
/* Lets go of the bus. NULL is allowed, here and below. */
void filtering_close(struct filtering *f);
void filtering_free(struct filtering *f);
/* The terms in force, of pages and of searches. NULL: not known yet. */
struct words *filtering_words(const struct filtering *f);
struct words *filtering_search_words(const struct filtering *f);
/* The settings may say something else now. */
void filtering_settings_changed(struct filtering *f);
/* Adds the counts to the status. */
void filtering_report(const struct filtering *f, cJSON *status);
