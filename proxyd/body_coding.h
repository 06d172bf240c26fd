/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/body.h"

/* Content codings (RFC 9110 8.4) as stages: gzip, deflate (zlib's form and the bare one), br, zstd.
 */
enum body_coding { CODING_GZIP, CODING_DEFLATE, CODING_BR, CODING_ZSTD, CODINGS };

#define CODINGS_MAX 4 /* of one message */

/* The text for Content-Encoding. */
const char *coding_text(enum body_coding coding);
/* One element of a list, without blanks: -EPROTO unknown; "identity" is no coding: -ENOENT. */
int coding_parse(const char *text, size_t len, enum body_coding *out);
/* The whole value of Content-Encoding, in the order in which they were applied. How many, or
 * -EPROTO: one is unknown, or -E2BIG: there are too many. */
int codings_parse(const char *value, enum body_coding out[static CODINGS_MAX]);

/*
 * Decodes; bytes behind the end are dropped. Errors: -EBADMSG corrupt or cut short; -EFBIG a bomb
 * (more than CODING_RATIO bytes for each that came, past CODING_FREE bytes), or a window above 8
 * MiB (RFC 9659; br: 16 MiB by its nature); -ENOMEM. NULL: no memory.
 */
#define CODING_RATIO 256
#define CODING_FREE  (16u << 20)
struct body_stage *decoder_new(enum body_coding coding);
/* Encodes at a level that is cheap beside TLS. NULL: no memory. */
struct body_stage *encoder_new(enum body_coding coding);
