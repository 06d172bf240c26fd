/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>

/* Maps a whole regular file read-only. -errno; -EBADMSG: no regular file, or one of fewer than min
 * bytes. Undone with file_unmap. */
int file_map(const char *path, size_t min, const void **out, size_t *len);
void file_unmap(const void *data, size_t len);
