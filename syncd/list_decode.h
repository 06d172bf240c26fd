/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/buf.h"

/* What list_decode knows, for Accept-Encoding. */
#define LIST_DECODE_CODINGS "gzip, deflate"

/*
 * Undoes a Content-Encoding (NULL or "identity": copies). Pure. out's own bound holds whatever the
 * body says of itself. -EPROTO unknown coding, -EBADMSG corrupt or cut short or followed by
 * something else, -EFBIG above out's bound, -ENOMEM; out may hold a part then.
 */
int list_decode(const char *coding, const void *data, size_t len, struct buf *out);
