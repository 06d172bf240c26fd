/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A WireGuard key: X25519 private or public, or a preshared one. All zero = none. */
struct wg_key {
	uint8_t bytes[32];
};

#define WG_KEY_BASE64_LEN 44
#define WG_KEY_HEX_LEN	  64

bool wg_key_is_zero(const struct wg_key *key);
bool wg_key_equal(const struct wg_key *a, const struct wg_key *b); /* in constant time */
void wg_key_wipe(struct wg_key *key);

/* Base64 of exactly 32 bytes, canonical; zero is refused. -EINVAL. */
int wg_key_parse(const char *text, struct wg_key *out);
void wg_key_format(const struct wg_key *key, char out[static WG_KEY_BASE64_LEN + 1]);
/* 64 hexadecimal digits, as the UAPI has it; zero is allowed there. -EINVAL. */
int wg_key_parse_hex(const char *text, struct wg_key *out);
void wg_key_format_hex(const struct wg_key *key, char out[static WG_KEY_HEX_LEN + 1]);

/* A fresh private key. -errno. */
int wg_key_generate(struct wg_key *out);
/* The public key of a private one (RFC 7748). -EIO when the library fails. */
int wg_key_public(const struct wg_key *private_key, struct wg_key *out);
/* Reads the private key (base64, one line) of file dir/name.key; when there is none, makes dir
 * (0700) and the file (0600) with a fresh one. -EPERM when others may read the file, -EINVAL when
 * it holds no key, -errno. */
int wg_key_load(const char *dir, const char *name, struct wg_key *out);
/* The same without making anything: -ENOENT when there is none. */
int wg_key_read(const char *dir, const char *name, struct wg_key *out);
/* Writes that file; makes dir when it is missing. -EEXIST when there is one. */
int wg_key_write(const char *dir, const char *name, const struct wg_key *key);
