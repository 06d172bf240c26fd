/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * What apid signs and seals with: keys derived from one random secret of 32 bytes, which lies in a
 * 0400 file and never in the database. Several apid on one database must have the same one.
 */
enum { SECRET_LEN = 32, SEAL_OVERHEAD = 12 + 16 };

struct secret {
	uint8_t session[SECRET_LEN]; /* signs cookies */
	uint8_t csrf[SECRET_LEN];
	uint8_t seal[SECRET_LEN]; /* encrypts what the database keeps */
};

/* From text, the secret's file's line, when that is not NULL; else from path, which is made when it
 * is missing. 0 or -errno; the reason is logged. */
int secret_open(struct secret *s, const char *text, const char *path);
void secret_fini(struct secret *s);

/* HMAC-SHA256. 0 or -EIO. */
int secret_sign(const uint8_t key[static SECRET_LEN], const void *data, size_t len,
	uint8_t out[static SECRET_LEN]);
/* In constant time. */
int secret_differs(const uint8_t *a, const uint8_t *b, size_t len);
/* AES-256-GCM; what: bound to it (an account's name). out: len + SEAL_OVERHEAD bytes. 0 or -EIO. */
int secret_seal(
	const struct secret *s, const char *what, const uint8_t *data, size_t len, uint8_t *out);
/* sealed_len must be SEAL_OVERHEAD more than out has room for. -EBADMSG: another key, another what.
 */
int secret_unseal(const struct secret *s, const char *what, const uint8_t *sealed,
	size_t sealed_len, uint8_t *out);
