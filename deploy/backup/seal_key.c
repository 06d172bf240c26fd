/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "deploy/backup/seal_key.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define RECIPIENT "culvert-recipient:"
#define IDENTITY  "culvert-identity:"
/* Argon2id, as RFC 9106 4 advises where memory is scarce. */
enum { PASSES = 3, MEMORY_KIB = 64 * 1024 };

_Static_assert(
	SEAL_KEY_LEN == crypto_secretstream_xchacha20poly1305_KEYBYTES, "one length of keys");
_Static_assert(SEAL_KEY_LEN == crypto_box_PUBLICKEYBYTES, "one length of keys");
_Static_assert(SEAL_BOX_LEN == crypto_box_SEALBYTES + SEAL_KEY_LEN, "a box has the stream's key");
_Static_assert(SEAL_SALT_LEN == crypto_pwhash_argon2id_SALTBYTES, "one length of salts");

/* The first line that is no comment; its length without the line's end. */
static const char *first_line(const char *text, size_t len, size_t *n)
{
	const char *end = text + len;

	while (text < end && *text == '#') {
		const char *next = memchr(text, '\n', (size_t)(end - text));

		text = next ? next + 1 : end;
	}
	*n = 0;
	while (text + *n < end && text[*n] != '\n' && text[*n] != '\r')
		(*n)++;
	return text;
}

static int parse_base64(const char *text, size_t len, uint8_t out[static SEAL_KEY_LEN])
{
	size_t n;

	if (sodium_base642bin(
		    out, SEAL_KEY_LEN, text, len, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) ||
		n != SEAL_KEY_LEN)
		return -EINVAL;
	return 0;
}

static bool starts_with(const char *text, size_t len, const char *prefix)
{
	return len >= strlen(prefix) && !memcmp(text, prefix, strlen(prefix));
}

int seal_key_parse(const char *text, size_t len, struct seal_key *out)
{
	size_t n;
	const char *line = first_line(text, len, &n);
	int err;

	memset(out, 0, sizeof(*out));
	if (starts_with(line, n, RECIPIENT)) {
		out->kind = SEAL_KEY_RECIPIENT;
		return parse_base64(
			line + strlen(RECIPIENT), n - strlen(RECIPIENT), out->public_key);
	}
	if (starts_with(line, n, IDENTITY)) {
		out->kind = SEAL_KEY_IDENTITY;
		err = parse_base64(line + strlen(IDENTITY), n - strlen(IDENTITY), out->secret_key);
		if (!err && crypto_scalarmult_base(out->public_key, out->secret_key))
			err = -EINVAL;
		return err;
	}
	out->kind = SEAL_KEY_PASSPHRASE;
	if (n < SEAL_PASSPHRASE_MIN || n > SEAL_PASSPHRASE_MAX)
		return -ERANGE;
	memcpy(out->passphrase, line, n);
	return 0;
}

void seal_key_fini(struct seal_key *key)
{
	sodium_memzero(key, sizeof(*key));
}

int seal_key_make(char out[static 512])
{
	uint8_t public_key[SEAL_KEY_LEN], secret_key[SEAL_KEY_LEN];
	char public_text[64], secret_text[64];
	int n;

	crypto_box_keypair(public_key, secret_key);
	sodium_bin2base64(public_text, sizeof(public_text), public_key, sizeof(public_key),
		sodium_base64_VARIANT_ORIGINAL);
	sodium_bin2base64(secret_text, sizeof(secret_text), secret_key, sizeof(secret_key),
		sodium_base64_VARIANT_ORIGINAL);
	n = snprintf(out, 512,
		"# Opens Culvert's backups: keep it away from the gateway, which needs but this "
		"line:\n"
		"# " RECIPIENT "%s\n" IDENTITY "%s\n",
		public_text, secret_text);
	sodium_memzero(secret_key, sizeof(secret_key));
	sodium_memzero(secret_text, sizeof(secret_text));
	return n < 512 ? 0 : -ENAMETOOLONG;
}

static int stretch(
	const struct seal_key *key, const struct seal_head *head, uint8_t out[static SEAL_KEY_LEN])
{
	return crypto_pwhash_argon2id(out, SEAL_KEY_LEN, key->passphrase, strlen(key->passphrase),
		       head->salt, head->passes, (size_t)head->memory_kib * 1024,
		       crypto_pwhash_argon2id_ALG_ARGON2ID13)
		       ? -ENOMEM
		       : 0;
}

static int make_check(const struct seal_head *head, const uint8_t stream[static SEAL_KEY_LEN],
	uint8_t out[static SEAL_CHECK_LEN])
{
	uint8_t bytes[SEAL_HEAD_LEN];

	seal_head_format(head, bytes);
	return crypto_generichash(
		       out, SEAL_CHECK_LEN, bytes, SEAL_CHECKED_LEN, stream, SEAL_KEY_LEN)
		       ? -EINVAL
		       : 0;
}

int seal_key_wrap(
	const struct seal_key *key, struct seal_head *head, uint8_t stream[static SEAL_KEY_LEN])
{
	int err = 0;

	if (key->kind == SEAL_KEY_PASSPHRASE) {
		head->kind = SEAL_PASSPHRASE;
		head->passes = PASSES;
		head->memory_kib = MEMORY_KIB;
		randombytes_buf(head->salt, sizeof(head->salt));
		err = stretch(key, head, stream);
	} else {
		head->kind = SEAL_RECIPIENT;
		crypto_secretstream_xchacha20poly1305_keygen(stream);
		if (crypto_box_seal(head->box, stream, SEAL_KEY_LEN, key->public_key))
			err = -EINVAL;
	}
	return err ? err : make_check(head, stream, head->check);
}

int seal_key_unwrap(const struct seal_key *key, const struct seal_head *head,
	uint8_t stream[static SEAL_KEY_LEN])
{
	uint8_t check[SEAL_CHECK_LEN];
	int err;

	if ((head->kind == SEAL_PASSPHRASE) != (key->kind == SEAL_KEY_PASSPHRASE) ||
		key->kind == SEAL_KEY_RECIPIENT)
		return -ENOKEY;
	if (head->kind == SEAL_PASSPHRASE)
		err = stretch(key, head, stream);
	else
		err = crypto_box_seal_open(
			      stream, head->box, SEAL_BOX_LEN, key->public_key, key->secret_key)
			      ? -EACCES
			      : 0;
	if (!err)
		err = make_check(head, stream, check);
	if (!err && sodium_memcmp(check, head->check, SEAL_CHECK_LEN))
		err = -EACCES;
	return err;
}
