/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include <sys/types.h>
#include <time.h>

#define LIST_BYTES_MAX (256u << 20)

/* Tells a file that was not touched since. */
struct list_file_stamp {
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

/*
 * Reads lists_dir/name, which may have directories in it but never leads out of lists_dir, by dots
 * or links. Blocks: for the work pool. 0 with out filled and *stamp new; 1 when *stamp still holds;
 * -ENOENT, -EACCES, -EXDEV (leads out), -EINVAL (no regular file), -EFBIG, -EAGAIN (changed
 * meanwhile).
 */
int list_file_read(
	const char *lists_dir, const char *name, struct list_file_stamp *stamp, struct buf *out);
