/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "deploy/backup/seal_key.h"

#include <stdio.h>

/*
 * A backup: a head (seal_head.h), then chunks of 65,536 bytes of text, sealed by libsodium's
 * secretstream (XChaCha20-Poly1305, 17 bytes more each; the head is their additional data). The
 * last one is shorter or as long, may be empty, and says that it is the last.
 */
enum { SEAL_CHUNK_LEN = 65536 };

/* Seals all of in. 0; -EIO: in or out failed; -ENOMEM. */
int seal_write(const struct seal_key *key, FILE *in, FILE *out);
/*
 * Opens all of in; out gets nothing that is not authentic, but may get a beginning before a fault
 * is found. *at: where, in bytes. 0, or beside those of seal_head_parse and seal_key_unwrap:
 *   -EBADMSG damaged, -ENODATA cut off, -EFBIG something follows its end, -EIO in or out failed
 */
int seal_read(const struct seal_key *key, FILE *in, FILE *out, uint64_t *at);
