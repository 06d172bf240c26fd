/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

#include "deploy/backup/seal_head.h"

/*
 * What a key file holds, its first line that is no comment (#): a passphrase, a recipient
 * (culvert-recipient:BASE64, seals only) or an identity (culvert-identity:BASE64, opens what was
 * sealed to its recipient, and seals). Wiped by seal_key_fini.
 */
enum { SEAL_PASSPHRASE_MIN = 12, SEAL_PASSPHRASE_MAX = 1024, SEAL_KEY_LEN = 32 };

enum seal_key_kind { SEAL_KEY_PASSPHRASE, SEAL_KEY_RECIPIENT, SEAL_KEY_IDENTITY };

struct seal_key {
	enum seal_key_kind kind;
	char passphrase[SEAL_PASSPHRASE_MAX + 1];
	uint8_t public_key[SEAL_KEY_LEN], secret_key[SEAL_KEY_LEN];
};

/* 0; -EINVAL: neither; -ERANGE: a passphrase too short or too long. */
int seal_key_parse(const char *text, size_t len, struct seal_key *out);
void seal_key_fini(struct seal_key *key);
/* A new identity as the text of its file; out is the caller's to wipe. */
int seal_key_make(char out[static 512]);

/* Fills head's kind and what belongs to it, and makes the stream's key. 0, -ENOMEM. */
int seal_key_wrap(
	const struct seal_key *key, struct seal_head *head, uint8_t stream[static SEAL_KEY_LEN]);
/* 0; -EACCES: it is not the key that this was sealed with; -ENOKEY: another kind of key is needed;
 * -ENOMEM. */
int seal_key_unwrap(const struct seal_key *key, const struct seal_head *head,
	uint8_t stream[static SEAL_KEY_LEN]);
