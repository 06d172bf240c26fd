/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

/* The files of the administration's UI, part of the program: apid/ui/embed makes the table. */
struct ui_file {
	const char *name; /* "index.html", "app/main.js" */
	const char *type; /* Content-Type */
	const unsigned char *data;
	size_t len;
	const unsigned char *gz; /* the same, compressed (RFC 1952) */
	size_t gz_len;
};

extern const struct ui_file ui_files[];
extern const size_t ui_file_count;
/* A hash of them all: addresses hold it, so that browsers keep what is below one for ever. */
extern const char ui_version[];
