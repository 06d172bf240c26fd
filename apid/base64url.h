/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Base64 for URLs without padding (RFC 4648 5). */
#define BASE64URL_LEN(bytes) (((bytes)*4 + 2) / 3)

/* out has BASE64URL_LEN(len) + 1 bytes. */
void base64url_format(const uint8_t *data, size_t len, char *out);
/* Exactly len bytes, in the one form that format gives. -EINVAL else. */
int base64url_parse(const char *text, size_t text_len, uint8_t *out, size_t len);
