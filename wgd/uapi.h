/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"
#include "wgd/device.h"

/*
 * The text of WireGuard's cross-platform userspace interface: `get=1`, `set=1`, lines of key=value,
 * keys in hexadecimal, an answer ends with errno=N and an empty line. Pure.
 */
#define UAPI_GET "get=1\n\n"

/* The set request for these changes; check text->failed. */
void uapi_format_set(struct buf *text, const struct wg_changes *changes);
/* Is the answer complete? */
bool uapi_is_complete(const char *text, size_t len);
/* Reads a complete answer. dev may be NULL when only the errno matters, else it is initialised and
 * on success filled; unknown keys are ignored. 0, -errno that the other side gave, -EBADMSG. */
int uapi_parse(const char *text, size_t len, struct wg_device *dev);
