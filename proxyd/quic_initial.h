/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "common/crypto.h"
#include <stdbool.h>

/* Packets of QUIC with a long header, and those by which a client begins (RFC 9000 17.2, RFC 9001
 * 5, RFC 9369). Pure. */
#define QUIC_VERSION_1	0x00000001u
#define QUIC_VERSION_2	0x6b3343cfu
#define QUIC_ID_MAX	20
#define QUIC_PACKET_MAX 65535

enum quic_type { QUIC_INITIAL, QUIC_0RTT, QUIC_HANDSHAKE, QUIC_RETRY };

struct quic_id {
	uint8_t len, bytes[QUIC_ID_MAX];
};

struct quic_packet {
	uint32_t version;
	enum quic_type type;
	struct quic_id to; /* destination connection id */
	const uint8_t *data;
	size_t number_at; /* where the protected packet number begins */
	size_t len;	  /* bytes in all; behind them another packet may stand */
};

/* Is there a long header? Else there is nothing that could be read. */
bool quic_is_long(uint8_t first);
/* The version says: one that only makes a server name those it has (RFC 9000 15). */
bool quic_is_reserved(uint32_t version);
/* The first packet of a datagram's rest. 0; -EPROTO: malformed; -EPROTONOSUPPORT: a version that is
 * not known, out->version says which. */
int quic_packet_parse(const uint8_t *data, size_t len, struct quic_packet *out);

struct quic_keys {
	uint8_t key[CRYPTO_BLOCK_LEN], iv[CRYPTO_NONCE_LEN], head[CRYPTO_BLOCK_LEN];
};
/* Of what a client sends first to that connection id. 0 or -errno. */
int quic_keys_make(uint32_t version, const struct quic_id *id, struct quic_keys *out);
/* Takes the protection off. out has room for the packet's len; *out_len of it are frames then.
 * -EBADMSG: it was sealed with other keys. */
int quic_packet_open(
	const struct quic_packet *p, const struct quic_keys *keys, uint8_t *out, size_t *out_len);

struct quic_frame {
	uint64_t type;
	uint64_t offset; /* of CRYPTO */
	const uint8_t *data;
	size_t len;
};
#define QUIC_FRAME_CRYPTO 6
/* The next frame of those that may stand in an Initial packet (RFC 9000 17.2.2); *at moves behind
 * it. 0; -ENODATA: there is none left; -EPROTO: another one, or malformed. */
int quic_frame_next(const uint8_t *frames, size_t len, size_t *at, struct quic_frame *out);
