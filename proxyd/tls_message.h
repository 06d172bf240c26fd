/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_RECORD_CHANGE_CIPHER_SPEC 20
#define TLS_RECORD_HANDSHAKE	      22
#define TLS_RECORD_APPLICATION_DATA   23

/* The first handshake message of a byte stream, over as many records as it takes (RFC 8446 5.1). */
struct tls_message {
	int type;	     /* of the message; -1 = not even that came */
	const uint8_t *body; /* whole messages only; points into the bytes or into joined */
	size_t body_len;
	size_t used;   /* bytes up to the end of the record that it ends in */
	bool has_more; /* that record goes on behind it */
	uint8_t *joined;
};

/* Pure. 0; -EAGAIN: needs more; -EPROTO: no handshake record, or a malformed one, or a message that
 * is not whole within `limit` bytes and 1024 records; -ENOMEM. tls_message_fini in any case. */
int tls_message_parse(const uint8_t *data, size_t len, size_t limit, struct tls_message *out);
void tls_message_fini(struct tls_message *m);

/* A reader that stays at its end once something was missing. */
struct tls_span {
	const uint8_t *at, *end;
	bool is_short;
};

struct tls_span tls_take(struct tls_span *s, size_t len);
uint32_t tls_number(struct tls_span *s, size_t bytes);
/* A vector with a length of that many bytes before it. */
struct tls_span tls_vector(struct tls_span *s, size_t bytes);
