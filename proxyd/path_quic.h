/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "proxyd/client_hello.h"
#include "proxyd/path_store.h"
#include "proxyd/quic_initial.h"

/*
 * What a client says at the beginning of a QUIC connection, read in its path (SPEC P21): the hello
 * in the CRYPTO frames of its Initial packets, in any order and of any of the datagrams. A client
 * needs no answer before it has said all of it: until then nothing passes, so that no server has
 * half a hello whose other half is not read together with it. No I/O, no policy.
 */
#define PATH_QUIC_DATAGRAMS 4096 /* that begin with a packet of the long form, of one reading */

enum path_quic_result {
	PATH_QUIC_MORE,	    /* may pass when the hello may, which is not whole */
	PATH_QUIC_PROBE,    /* may pass; nothing is decided by it */
	PATH_QUIC_HAS_NAME, /* may pass if the hello's name may: it is whole now */
	PATH_QUIC_GOOD,	    /* may pass, the hello stays as it was */
	PATH_QUIC_BAD,	    /* the connection is to be refused */
	PATH_QUIC_LOST,	    /* may not pass: a server could not read it either, or not yet */
};

struct path_quic {
	struct quic_id id; /* that the client chose for the server: its keys follow from it */
	struct quic_keys keys;
	uint32_t version;	 /* of keys */
	struct path_store hello; /* of the CRYPTO stream */
	unsigned datagrams;
	bool has_keys, has_hello, is_broken;
	bool is_allowed; /* the caller's: one that was read before may pass */
	bool is_other;	 /* the last datagram began another connection than that of those before */
};

void path_quic_fini(struct path_quic *q);
/* A datagram of the client. room: for PATH_QUIC's frames, QUIC_PACKET_MAX bytes of the caller's.
 * hello is filled with HAS_NAME only. */
enum path_quic_result path_quic_up(struct path_quic *q, const uint8_t *data, size_t len,
	uint8_t *room, struct client_hello *hello);
