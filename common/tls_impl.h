/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two backends of tls.h have in common. Nothing else includes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/buf.h"
#include "common/tls.h"

/* A peer's handshake flight or a read of the stream fits many times. */
#define TLS_INPUT_MAX  (1024 * 1024)
#define TLS_OUTPUT_MAX (64 * 1024 * 1024)
/* Sessions and verified chains of servers, and keys of tickets, in seconds. */
#define TLS_KEPT_S	  3600
#define TLS_TICKET_LIFE_S 7200
#define TLS_DIGEST_LEN	  32
#define TLS_CHAIN_KEY_LEN (2 * TLS_DIGEST_LEN + 256 + 2)

/* Ciphertext on its way in and out of the library, in buffers that change hands and are not copied
 * where it can be helped. */
struct tls_io {
	uint8_t *in; /* malloc'ed */
	size_t in_len, in_pos;
	bool in_eof; /* the stream beneath ended */
	struct buf out;
};

void tls_io_init(struct tls_io *io);
void tls_io_fini(struct tls_io *io);
/* As tls_feed. */
int tls_io_feed(struct tls_io *io, void *data, size_t len);
/* Bytes fed and not yet read. */
size_t tls_io_unread(const struct tls_io *io);
/* Up to `len` of them; their number. */
size_t tls_io_read(struct tls_io *io, void *out, size_t len);
/* As tls_take_output. */
void *tls_io_take_output(struct tls_io *io, size_t *len);
/* Room in the output for `len` bytes of plaintext once they are records. 0 or -errno. */
int tls_io_reserve(struct tls_io *io, size_t len);

/* What a connection has over either library. */
struct tls_state {
	struct tls_io io;
	char *name;
	char *sni;
	void *conn_data;
	bool done;     /* the handshake */
	bool eof;      /* close_notify received */
	bool closed;   /* close_notify sent */
	bool verified; /* client: the certificates of this handshake are in order */
	bool chain_known;
	uint8_t peer_alert;
	enum tls_verify verify;
	enum tls_gap gap;
	int err; /* told again by every call */
	char error[128];
};

/* What tls.h has that is alike over both libraries stands in tls_impl.c, on top of these of theirs.
 * Each of their `struct tls` begins with its state. */

/* One read, of the handshake's end on: > 0 bytes, 0 the peer's close_notify, else -errno, noted. */
int tls_library_read(struct tls *t, void *buf, size_t len);
/* Some of it into the output, at least a byte; else -errno, noted. */
int tls_library_write(struct tls *t, const void *buf, size_t len);
/* close_notify into the output. */
int tls_library_close(struct tls *t);
static inline struct tls_state *tls_state_of(struct tls *t)
{
	return (struct tls_state *)(void *)t;
}

/* `name` is copied, and may be NULL. 0 or -ENOMEM. */
int tls_state_init(struct tls_state *st, const char *name, void *conn_data);
void tls_state_fini(struct tls_state *st);
/* Notes an error, which is returned. */
int tls_fail(struct tls_state *st, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The peer's fatal alert. */
int tls_fail_alert(struct tls_state *st, uint8_t alert, bool has_tls13);
/* st->verify, if it says that the handshake fails for the peer's certificate, or else `gap`, if it
 * is one. 0: neither. */
int tls_fail_named(struct tls_state *st, enum tls_gap gap, bool has_tls13);
/* The client's handshake is done though nobody vouches for the server. */
int tls_fail_unverified(struct tls_state *st);
/* All of `info` but what the library knows. */
void tls_state_info(const struct tls_state *st, struct tls_info *info);

/* The name of a client's SNI in lower case; NULL when it is none, or without memory. The caller's
 * to free. */
char *tls_sni_copy(const char *name, size_t len);
/* Is the name of a server an address? Then it is no SNI (RFC 6066 3). */
bool tls_name_is_address(const char *name);
/* When something about a certificate that ends then must be forgotten. */
time_t tls_kept_until(time_t now, time_t certificate_end);
/* The key of a verified chain: SHA-256 of the certificates as sent, and the name verified. */
void tls_chain_key(const uint8_t digest[static TLS_DIGEST_LEN], const char *name,
	char out[static TLS_CHAIN_KEY_LEN]);
