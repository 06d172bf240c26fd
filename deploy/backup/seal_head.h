/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The head of a backup, 137 bytes:
 *   0  14  "culvert-backup"
 *   14  1  version, 1
 *   15  1  kind: 1 passphrase, 2 recipient
 *   16 80  1: passes (4, big endian), memory in KiB (4, big endian), salt (16), zeros (56)
 *          2: the stream's key in a sealed box (X25519, XSalsa20-Poly1305) to the recipient
 *   96 16  BLAKE2b of bytes 0 to 95 under the stream's key: is it the right key?
 *   112 24 head of the stream (libsodium's secretstream, XChaCha20-Poly1305)
 *   136 1  zero
 */
enum {
	SEAL_MAGIC_LEN = 14,
	SEAL_VERSION = 1,
	SEAL_SALT_LEN = 16,
	SEAL_BOX_LEN = 80,
	SEAL_CHECK_LEN = 16,
	SEAL_CHECKED_LEN = 96, /* what the check is over */
	SEAL_STREAM_LEN = 24,
	SEAL_HEAD_LEN = 137,
	SEAL_PASSES_MAX = 16,
	SEAL_MEMORY_MIN_KIB = 8,
	SEAL_MEMORY_MAX_KIB = 1024 * 1024,
};

enum seal_kind { SEAL_PASSPHRASE = 1, SEAL_RECIPIENT = 2 };

struct seal_head {
	enum seal_kind kind;
	uint32_t passes, memory_kib; /* Argon2id's; of SEAL_PASSPHRASE */
	uint8_t salt[SEAL_SALT_LEN]; /* the same */
	uint8_t box[SEAL_BOX_LEN];   /* of SEAL_RECIPIENT */
	uint8_t check[SEAL_CHECK_LEN];
	uint8_t stream[SEAL_STREAM_LEN];
};

void seal_head_format(const struct seal_head *head, uint8_t out[static SEAL_HEAD_LEN]);
/* 0; -EINVAL: no backup, or one that nobody made; -EPROTONOSUPPORT: of a later version; -ENODATA:
 * the beginning of a head. */
int seal_head_parse(const uint8_t *data, size_t len, struct seal_head *out);
